/** A program that uses the library as its users do; the test gives it a folder of certificates, and reads what it prints. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { Journal, type RunResult, TrueNASConnectionError, VMManager } from "../../../lib/mod.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";

/** Where the certificates are, and where this one may write. */
const [, , folder = "."] = process.argv;
const pem = (name: string): string => readFileSync(`${name}.pem`, "utf8");
const tls = { cert: pem("cert"), key: pem("key") };
const times = { callMs: 1, zvolMs: 1, startMs: 1, shutdownMs: 1, deviceMs: 1, convertMs: 1 };
const account = { username: "admin", password: "truenas", vncPassword: "display" };
const configuration = {
  storage: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" },
  node: { count: 2, memory: 1024, cpu: 1, disk: { root: 20 }, network: { lan: "br0" } },
};
/** A raw disk of three parts of an upload, with a boot sector. */
const image = new Uint8Array(3 * 1024 * 1024);
image.set([0x55, 0xaa], 510);

const print = (...words: readonly unknown[]): boolean => process.stdout.write(`${words.join(" ")}\n`);
const inWords = ({ status, vms }: RunResult): string =>
  [status, ...vms.map(({ name, outcome }) => `${name}=${outcome}`)].join(" ");

/** Plans, creates two VMs, brings an image, reads the journal and destroys the VMs. */
async function work(
  simulator: Simulator,
  host: string,
  how: { readonly caCerts?: readonly string[] },
): Promise<void> {
  const journal = Journal.open(`${folder}/journal-${new URL(simulator.url).port}`);
  const manager = new VMManager({ host, ...account, ...how, journal });
  try {
    await manager.connect();
    const types = [{ type: "node", startPort: 5930 }];
    const plan = await manager.planCreation({ configuration, types });
    print("planned", plan.vms.length, plan.totals.memoryMib, "MiB");
    print("created", inWords(await manager.create({ configuration, types })), simulator.store.vms.size);
    if (!host.startsWith("unix:")) {
      const running = await manager.images.upload({
        dataset: "tank/images",
        name: "disk",
        fileName: "disk.img",
        sizeBytes: image.length,
        stream: new Blob([image]).stream(),
      });
      const { status, vms: [file] } = await running.finished;
      const stored = simulator.store.files.get("/mnt/tank/images/files-disk/disk.raw");
      print("uploaded", status, stored?.sizeBytes ?? file?.message);
    }
    await journal.written();
    const [first] = journal.load();
    print("journal", journal.load().length, first?.events.at(-1)?.type);
    print("destroyed", inWords(await manager.destroyManagedVms(["node"])), simulator.store.vms.size);
  } finally {
    await manager.disconnect();
    journal[Symbol.dispose]();
  }
}

/** Why the NAS cannot be reached. */
async function failureOf(host: string): Promise<string> {
  const manager = new VMManager({ host, ...account });
  try {
    await manager.connect();
    return "connected";
  } catch (error) {
    if (!(error instanceof TrueNASConnectionError)) return String(error);
    return `${error.failure}, ${error.message.split(": ").at(-1)?.split(".")[0]}`;
  } finally {
    await manager.disconnect();
  }
}

const unixPath = `${folder}/nas.sock`;
const plain = await startSimulator({ times, unixPath });
print("ws");
await work(plain, plain.url, {});
await plain.stop();
print("refused:", await failureOf(plain.url));

const secure = await startSimulator({ times, tls });
print("wss");
await work(secure, secure.url, { caCerts: [pem("ca")] });
print("without the CA:", await failureOf(secure.url));
print("without TLS:", await failureOf(secure.url.replace("wss:", "ws:")));
await secure.stop();

const local = await startSimulator({ times, unixPath });
print("unix");
await work(local, `unix:${unixPath}`, {});
await local.stop();
print("done");
