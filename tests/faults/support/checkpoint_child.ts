/** A separate process that works on a checkpoint with a journal, so that a test can kill it at any call. */
import process from "node:process";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { carryOut, WORKS } from "./checkpoint_work.ts";
import { managerOptions } from "./lab.ts";

const [url = "", folder = "", wanted] = process.argv.slice(2);
const work = WORKS.find((it) => it === wanted) ?? "take";
using journal = Journal.open(folder);
await using manager = new VMManager({ ...managerOptions({ url }), journal });
await manager.connect();
await carryOut(work, manager);
