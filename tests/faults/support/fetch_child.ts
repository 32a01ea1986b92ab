/** A program that fetches an image, or creates VMs from one with an address, to be killed: its arguments are what, the NAS, a folder, the address and the digest. */
import { tmpdir } from "node:os";
import { offeringOn } from "../../../lib/images/offering/offering.ts";
import { pathServerWhenNeeded } from "../../../lib/secret_paths/path_server.ts";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { fetchedConfiguration, newImage } from "./fetched_configuration.ts";
import { PART_BYTES } from "../../support/images/fetched_images.ts";
import { managerOptions } from "./lab.ts";
import { VMManager } from "../../../lib/vm_manager.ts";

const server = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });
const offering = offeringOn(server, tmpdir());
const [what, nas = "", folder = "", url = "", sha256 = ""] = Deno.args;
using journal = Journal.open(folder);
const account = what === "pull" ? { username: "maker", password: "secret", offering } : {};
const options = { ...managerOptions({ url: nas }), ...account };
await using manager = new VMManager({ ...options, journal, partBytes: PART_BYTES });
await manager.connect();
if (what !== "create") await (await manager.images.add(newImage(url, sha256))).finished;
else await manager.operations.create({ configuration: fetchedConfiguration(url, sha256) });
await server[Symbol.asyncDispose]();
