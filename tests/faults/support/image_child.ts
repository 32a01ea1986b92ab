/** A separate process that makes two VMs from an image with a journal, so that a test can kill it at any call. */
import process from "node:process";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { imageConfiguration } from "./image_configuration.ts";
import { managerOptions } from "./lab.ts";

const [url = "", folder = ""] = process.argv.slice(2);
using journal = Journal.open(folder);
await using manager = new VMManager({ ...managerOptions({ url }), journal });
await manager.connect();
await manager.operations.create({ configuration: imageConfiguration(2) });
