/** Protects what is read from a guest's console, and what the simulated one prints there, by the recording of a real guest. */
import assert from "node:assert/strict";
import { factsIn } from "../../../lib/first_boot/readiness/read_console.ts";
import {
  finishedLine,
  keyTable,
  networkTables,
  stageLine,
} from "../../../lib/simulator/guests/console_text.ts";

/** Debian 12 with cloud-init 22.4 under QEMU, without the keys that it made and the warnings of its netplan. */
const RECORDED = await Deno.readTextFile(new URL("../../data/guests/debian12_console.txt", import.meta.url));
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKH4KLS8T1/JOCSZ6Ge1hRvaBg0SBcYXrUwTIqR2zI3p ops";
const SOURCE = "DataSourceNoCloudNet [seed=dmi,http://10.0.2.2:8081/0123456789abcdef/][dsmode=net]";

/** Without the times and numbers of processes, which differ. */
function plain(line: string): string {
  return line.replace(/^\[ *[\d.]+\] cloud-init\[\d+\]: /, "").replace(/ at .*? \+0000\./, " at TIME.")
    .replace(/Up [\d.]+ seconds/, "Up N seconds");
}

Deno.test("a recorded console tells the guest's address, and that cloud-init has finished", () => {
  assert.deepEqual(factsIn(RECORDED), { address: "10.0.2.15", isFinished: true });
  const before = RECORDED.slice(0, RECORDED.indexOf("Cloud-init v. 22.4.2 finished"));
  assert.deepEqual(factsIn(before), { address: "10.0.2.15", isFinished: false });
});

Deno.test("a simulated guest prints what the recorded one did", () => {
  const recorded = new Set(RECORDED.split("\n").map((line) => plain(line.replace(/^node1 login: /, ""))));
  const moment = { at: 0, upMs: 1_000 };
  const stages = ["init-local", "init", "modules:config", "modules:final"];
  const lines = [
    ...stages.map((stage) => stageLine(moment, stage)),
    ...keyTable("ops", [KEY]),
    finishedLine(moment, SOURCE),
  ];
  for (const line of lines) {
    assert.ok(recorded.has(plain(line)), `${plain(line)}\n${[...recorded].join("\n")}`);
  }
  const card = { name: "enp0s2", address: "10.0.2.15", prefix: 24, mac: "52:54:00:11:22:33" };
  const words = (line: string) => plain(line).split(/[ |]+/).join(" ");
  const tables = networkTables(moment, [card], "10.0.2.2").filter((line) => line.includes("|"));
  // The recorded one has IPv6 addresses too, so that its columns are wider.
  const known = new Set([...recorded].map(words));
  for (const line of tables) assert.ok(known.has(words(line)), words(line));
});
