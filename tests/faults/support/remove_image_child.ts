/** A separate process that removes an image that three VMs are clones of, so that a test can kill it at any call. */
import process from "node:process";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { imageConfiguration } from "./image_configuration.ts";
import { managerOptions } from "./lab.ts";

const [url = "", folder = ""] = process.argv.slice(2);
using journal = Journal.open(folder);
await using manager = new VMManager({ ...managerOptions({ url }), journal });
await manager.connect();
const configuration = imageConfiguration(3);
const request = { image: "debian", only: [], promote: true };
const { fingerprint: shown } = await manager.operations.planImageRemoval(request, configuration);
const started = await manager.operations.startImageRemoval(request, { configuration, shown });
if (started.started) await started.operation.finished;
