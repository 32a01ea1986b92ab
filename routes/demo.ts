/** What `demo` starts in its worker: the dashboard, and a simulated NAS beside it. */
import { startSimulator } from "../lib/simulator/simulator.ts";
import { awaitLaunch } from "./worker.ts";

awaitLaunch(startSimulator);
