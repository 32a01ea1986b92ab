/** A separate process that creates, changes, replaces or destroys workers with a journal, so that a test can kill it at any call. */
import process from "node:process";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { pathServerWhenNeeded } from "../../../lib/secret_paths/path_server.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { change } from "./change_points.ts";
import { createBoth, managerOptions, replacing, seeded, seededOnDisk, workers } from "./lab.ts";

const [url = "", folder = "", what = "", count = "0", port = "0"] = process.argv.slice(2);
using journal = Journal.open(folder);
await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: Number(port) });
await using manager = new VMManager({ ...managerOptions({ url }), journal, paths, simulated: true });
await manager.connect();
if (what === "create") await manager.createVmType(workers(Number(count)), "worker", 5920);
else if (what === "seeds") await manager.createVmType(seeded(Number(count)), "worker", 5920);
else if (what === "seed-disks") await manager.createVmType(seededOnDisk(Number(count)), "worker", 5920);
else if (what === "both") await createBoth(manager, Number(count));
else if (what === "replace") await manager.create(replacing(Number(count)));
else if (what === "change") await change(manager);
else await manager.destroyManagedVms(["worker"]);
