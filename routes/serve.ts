/** What `serve` starts in its worker. */
import { awaitLaunch } from "./worker.ts";

awaitLaunch(null);
