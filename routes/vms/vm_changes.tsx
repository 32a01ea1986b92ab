/** Changes to one VM from its page (settings, disks, NICs, install media, clone), and access to its console. */
import { Hono } from "hono";
import {
  gibOf,
  isWithinRange,
  mibOf,
  parseWholeNumber,
  type Range,
  wholeNumberExpected,
} from "../../lib/inputs.ts";
import { MAX_DESCRIPTION_CHARS } from "../../lib/configuration/sections.ts";
import { type Problem, remedyOf, TrueNASError } from "../../lib/errors/errors.ts";
import type { Display, Vm } from "../../lib/inventory/inventory.ts";
import { MARK } from "../../lib/inventory/marks.ts";
import { deriveMac, isVmName, normalizeMac, zvolName } from "../../lib/inventory/names.ts";
import type { VmChange } from "../../lib/operations/steps/change_vm.ts";
import { gibToBytes } from "../../lib/units.ts";
import type { VmPageTab } from "../../templates/pages/vm/vm_page.tsx";
import { picked } from "../../templates/parts/type_form/inputs.tsx";
import { DISK_PHRASE } from "../../templates/parts/vm/devices/disks.tsx";
import { isVmTab, paths } from "../../templates/paths.ts";
import type { Dashboard } from "../server/dashboard.ts";
import { findVm, withVm } from "./find_vm.ts";
import { inTime } from "../in_time.ts";
import { readForm } from "../forms/read_form.ts";
import { sendVmPage, settingsShown } from "./vms.tsx";
import { actorOf, type AppContext, type AppEnv } from "../server/context.ts";

/** The change that a form requests, or the problems with the form. */
type Read = { readonly change: VmChange } | { readonly problems: readonly Problem[] };

/** Reads one form; problems name the form's fields. */
type Reader = (fields: URLSearchParams, vm: Vm, dashboard: Dashboard) => Read | Promise<Read>;

const READERS: Readonly<Record<string, Reader>> = {
  settings: readSettings,
  boot: readBootFirst,
  disks: readDisk,
  grow: readGrowth,
  nics: readNic,
  cdroms: readCdrom,
  remove: readRemoval,
  clone: readClone,
};

/** The tab of each form. */
const TABS: Readonly<Record<string, VmPageTab>> = {
  settings: "overview",
  boot: "boot",
  disks: "disks",
  grow: "disks",
  nics: "network",
  cdroms: "boot",
  clone: "clone",
};

/** The tab that a form was sent from; a removal says it, because its device may be gone. */
function tabOf(form: string, fields: URLSearchParams, vm: Vm): VmPageTab {
  const known = TABS[form];
  if (known !== undefined) return known;
  const named = text(fields, "tab");
  if (isVmTab(named) && named !== "console") return named;
  const device = text(fields, "device");
  const isOf = (devices: readonly { readonly deviceId: number }[]) =>
    devices.some(({ deviceId }) => String(deviceId) === device);
  return isOf(vm.nics) ? "network" : isOf(vm.cdroms) ? "boot" : "disks";
}

/** POST /vms/:id/{settings,disks,grow,nics,cdroms,boot,remove,clone}, GET /vms/:id/console/nas, /vms/:id/console.vv. */
export function vmChangeRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const { manager } = dashboard;
  const app = new Hono<AppEnv>();
  app.post("/vms/:id/:form", async (c, next) => {
    const form = c.req.param("form");
    const read = Object.hasOwn(READERS, form) ? READERS[form] : undefined;
    if (read === undefined) return await next();
    return await change(c, dashboard, form, read);
  });
  app.get(
    "/vms/:id/console/nas",
    withVm(dashboard, async (c, vm) => {
      try {
        return c.redirect(await manager.consoles.displayUri(vm.id), 303);
      } catch (error) {
        if (!(error instanceof TrueNASError)) throw error;
        return await sendVmPage(c, dashboard, vm, { notice: `${error.message}. ${remedyOf(error)}` }, 502);
      }
    }),
  );
  app.get(
    "/vms/:id/console.vv",
    withVm(dashboard, async (c, vm) => {
      const [display] = vm.displays;
      if (display === undefined || display.port === null) return await c.notFound();
      try {
        const file = viewerFile(vm, display, await manager.consoles.viewerHost(display.bind));
        c.header("content-type", "application/x-virt-viewer");
        c.header("content-disposition", `attachment; filename="${vm.name.replaceAll(/\W/g, "_")}.vv"`);
        return c.body(file);
      } catch (error) {
        if (!(error instanceof TrueNASError)) throw error;
        return await sendVmPage(c, dashboard, vm, { notice: error.message }, 409);
      }
    }),
  );
  return app;
}

/** A file for remote-viewer. It has no password, because it stays in a downloads folder. */
function viewerFile(vm: Vm, { type, port }: Display, host: string): string {
  const lines = [
    `type=${type.toLowerCase()}`,
    `host=${host}`,
    `port=${port}`,
    `title=${vm.name}`,
  ].map((line) => line.replaceAll(/\p{Cc}/gu, " "));
  return `[virt-viewer]\n${lines.join("\n")}\n`;
}

/** How long to wait for a change before showing its operation instead; most finish within a moment. */
const CHANGE_MS = 5_000;

async function change(c: AppContext, dashboard: Dashboard, form: string, read: Reader): Promise<Response> {
  const { manager } = dashboard;
  const vm = await findVm(c, dashboard);
  if (vm === undefined) return await c.notFound();
  const fields = await readForm(c.req.raw) ?? new URLSearchParams();
  const tab = tabOf(form, fields, vm);
  const showAgain = async (problems: readonly Problem[], status: 409 | 422) => {
    const at = problems.map((problem) => ({
      ...problem,
      field: problem.field === ""
        ? ""
        : `${form}.${problem.field}${form === "grow" ? `-${text(fields, "device")}` : ""}`,
    }));
    return await sendVmPage(c, dashboard, vm, { tab, problems: at, typed: { form, fields } }, status);
  };
  const busy = manager.operations.store.busy(vm.name);
  if (busy !== null) {
    const message = `${vm.name} is busy: ${busy.doing}. Nothing was changed. Try again when it has finished`;
    return showAgain([{ field: "", message }], 409);
  }
  const requested = await read(fields, vm, dashboard);
  if ("problems" in requested) return showAgain(requested.problems, 422);
  const target = { id: vm.id, name: vm.name, uuid: vm.uuid };
  const { problems, log } = manager.changes.change(target, requested.change, { by: actorOf(c) });
  const refused = await inTime(problems, CHANGE_MS);
  // A change that takes longer is followed on its operation's page.
  if (refused === null) return c.redirect(paths.operation(log.id), 303);
  // The next page must show the changed VM.
  await inTime(manager.inventory.live.refreshNow(vm.id));
  if (refused.length > 0) return showAgain(refused, 422);
  return c.redirect(
    requested.change.kind === "clone"
      ? paths.home({ q: requested.change.name })
      : paths.vmSaved(vm.id, tab, { operation: log.id, waits: waits(requested.change, vm) }),
    303,
  );
}

/** Whether a change takes effect only at the VM's next start. */
function waits(change: VmChange, { state, cores, threads, memoryMib }: Vm): boolean {
  if (state === "STOPPED") return false;
  if (change.kind !== "settings") return true;
  return change.cores !== cores || change.threads !== threads || change.memoryMib !== memoryMib;
}

function text(fields: URLSearchParams, name: string): string {
  return fields.get(name)?.trim() ?? "";
}

/** What a number may be, and how it is read from what was typed. */
interface Expected extends Range {
  readonly what: string;
  readonly read: (typed: string, range: Range) => unknown;
}

/** Reads a whole number within limits; adds a problem if it is invalid. */
function number(
  fields: URLSearchParams,
  name: string,
  { what, read, ...range }: Expected,
  problems: Problem[],
): number {
  const typed = text(fields, name);
  const value = read(typed, range);
  if (isWithinRange(value, range)) return value;
  problems.push({ field: name, message: wholeNumberExpected(what, range, typed === "" ? undefined : typed) });
  return range.lowest;
}

function checkName(name: string, problems: Problem[]): void {
  if (isVmName(name)) return;
  problems.push({
    field: "name",
    message: "Use only letters, digits and underscores, at most 150 characters",
  });
}

function problem(field: string, message: string): Read {
  return { problems: [{ field, message }] };
}

const DEVICE_GONE = "This device no longer exists. Nothing was changed. Reload the page";

function result(problems: readonly Problem[], change: VmChange): Read {
  return problems.length > 0 ? { problems } : { change };
}

/** TrueNAS's own limits, except for the memory: that limit is above what any NAS has. */
const CPU = { lowest: 1, highest: 255, what: "vCPUs", read: parseWholeNumber } as const;
const MEMORY = { lowest: 20, highest: 16_777_216, unit: " MiB", what: "Memory", read: mibOf } as const;
/** How many names to try for a new zvol; a VM has far fewer disks. */
const NAMES_TRIED = 100;
const DISK = { lowest: 1, highest: 65_536, unit: " GiB", what: "The size", read: gibOf } as const;

function readSettings(fields: URLSearchParams, vm: Vm): Read {
  const problems: Problem[] = [];
  const shown = text(fields, "shown");
  if (shown !== "" && shown !== settingsShown(vm)) {
    const message =
      "The settings were changed elsewhere after you opened this page. Nothing was saved, and your entries are kept. Compare them with the current settings above, then save again";
    return problem("", message);
  }
  const name = text(fields, "name");
  checkName(name, problems);
  if (name !== vm.name && vm.state !== "STOPPED") {
    const message = "Only a stopped VM can be renamed. Nothing was changed. Shut it down first";
    problems.push({ field: "name", message });
  }
  const description = fields.get("description")?.replaceAll("\r\n", "\n").trim() ?? "";
  if (description.length > MAX_DESCRIPTION_CHARS) {
    const message =
      `The description has ${description.length} characters. Shorten it to ${MAX_DESCRIPTION_CHARS} or fewer`;
    problems.push({ field: "description", message });
  }
  const vcpus = number(fields, "cpu", CPU, problems);
  const { threads, sockets } = vm;
  if (problems.length === 0 && vcpus % (threads * sockets) !== 0) {
    const message = `The number of vCPUs must be a multiple of ${
      sockets * threads
    } (${sockets} × ${threads}, this VM's sockets × threads)`;
    problems.push({ field: "cpu", message });
  }
  const memoryMib = number(fields, "memory", MEMORY, problems);
  // The mark identifies VMs created by this program, so it must survive the edit.
  const kept = vm.description.includes(MARK) && !description.includes(MARK)
    ? `${description} ${MARK}`.trim()
    : description;
  const cores = Math.floor(vcpus / (threads * sockets));
  const autostart = fields.getAll("autostart").includes("yes");
  return result(problems, {
    kind: "settings",
    name,
    description: kept,
    cores,
    threads,
    memoryMib,
    autostart,
  });
}

async function readDisk(
  fields: URLSearchParams,
  vm: Vm,
  { manager, configuration }: Dashboard,
): Promise<Read> {
  const problems: Problem[] = [];
  const size = number(fields, "size", DISK, problems);
  if (problems.length > 0) return { problems };
  const first = vm.disks.find(({ zvol }) => zvol !== null)?.zvol ?? null;
  const parent = first?.replace(/\/[^/]*$/, "") ??
    configuration().configuration.storage.pool_path;
  const names = Array.from({ length: NAMES_TRIED }, (_, n) => zvolName(parent, vm.name, vm.disks.length + n));
  // A removed disk may have left its zvol, and a renamed VM keeps the old names of its zvols.
  const used = manager.inventory.live.snapshot.vms?.flatMap(({ disks }) => disks.map((disk) => disk.zvol)) ??
    [];
  const existing = await manager.inventory.existingDatasets(names);
  const taken = new Set([...used, ...existing.known ? existing.value : []]);
  const zvol = names.find((name) => !taken.has(name));
  if (zvol === undefined) {
    const message = `The zvols ${names[0]} to ${
      names.at(-1)
    } already exist. No disk was added. Remove the zvols that no VM uses`;
    return problem("size", message);
  }
  const sparse = fields.getAll("sparse").includes("yes");
  return { change: { kind: "add-disk", zvol, sizeBytes: gibToBytes(size), sparse } };
}

function readGrowth(fields: URLSearchParams, vm: Vm): Read {
  const problems: Problem[] = [];
  const disk = vm.disks.find(({ deviceId }) => String(deviceId) === text(fields, "device"));
  if (disk === undefined || disk.zvol === null) {
    return problem("", "This disk no longer exists. Nothing was changed. Reload the page");
  }
  const size = gibToBytes(number(fields, "size", DISK, problems));
  if (problems.length === 0 && disk.sizeBytes !== null && size <= disk.sizeBytes) {
    const message = `A disk can only grow. Enter more than its current ${disk.sizeBytes / gibToBytes(1)} GiB`;
    problems.push({ field: "size", message });
  }
  return result(problems, { kind: "grow-disk", zvol: disk.zvol, sizeBytes: size });
}

function readNic(fields: URLSearchParams, vm: Vm, { host, manager }: Dashboard): Read {
  const attach = picked(fields, "attach");
  const typed = text(fields, "mac");
  const { connection } = manager;
  // Like plans, this uses the NAS's own ID if the account may read it.
  const nasId = (connection.state.kind === "live" ? connection.state.nas.id : null) ?? host;
  const used = new Set(
    manager.inventory.live.snapshot.vms?.flatMap(({ nics }) => nics.map((nic) => nic.mac)),
  );
  const mac = typed === "" ? freeMac(vm, nasId, used) : normalizeMac(typed);
  const problems: Problem[] = [];
  if (attach === "") {
    problems.push({ field: "attach", message: "Choose a bridge or interface of the NAS, for example br0" });
  }
  if (mac === null) problems.push({ field: "mac", message: "Enter a MAC like 02:00:5e:10:00:01" });
  if (vm.nics.some((nic) => nic.mac === mac)) {
    problems.push({ field: "mac", message: "This VM already has a NIC with that MAC" });
  }
  return result(problems, { kind: "add-nic", attach, mac: mac ?? "" });
}

/** The first derived MAC that no VM uses. After a NIC was removed, the number of NICs alone could give a used one. */
function freeMac(vm: Vm, nasId: string, used: ReadonlySet<string | null>): string {
  for (let n = vm.nics.length;; n++) {
    const mac = deriveMac({ nasId, vm: vm.name, nic: `nic${n}` });
    if (!used.has(mac)) return mac;
  }
}

function readCdrom(fields: URLSearchParams): Read {
  const path = picked(fields, "path");
  const problems = path.startsWith("/mnt/") && !path.endsWith("/") ? [] : [{
    field: "path",
    message: "Choose an install image, or enter the full path of one, for example /mnt/tank/iso/debian.iso",
  }];
  return result(problems, { kind: "attach-iso", path, first: fields.getAll("first").includes("yes") });
}

function readRemoval(fields: URLSearchParams, vm: Vm): Read {
  const deviceId = Number(text(fields, "device"));
  const disk = vm.disks.find((it) => it.deviceId === deviceId);
  const known = [...vm.disks, ...vm.nics, ...vm.cdroms].some((it) => it.deviceId === deviceId);
  if (!known) {
    return problem("", DEVICE_GONE);
  }
  const withZvol = disk?.zvol != null && fields.getAll("zvol").includes("yes");
  if (withZvol && text(fields, "phrase").toLowerCase() !== DISK_PHRASE) {
    return problem(
      `phrase-${deviceId}`,
      `The phrase did not match. Nothing was removed. Type ${DISK_PHRASE} to destroy the disk's data`,
    );
  }
  return { change: { kind: "remove-device", deviceId, withZvol } };
}

function readBootFirst(fields: URLSearchParams, vm: Vm): Read {
  const deviceId = Number(text(fields, "device"));
  if (![...vm.disks, ...vm.cdroms].some((it) => it.deviceId === deviceId)) {
    return problem("", DEVICE_GONE);
  }
  return { change: { kind: "boot-first", deviceId } };
}

function readClone(fields: URLSearchParams): Read {
  const problems: Problem[] = [];
  const name = text(fields, "name");
  checkName(name, problems);
  return result(problems, { kind: "clone", name });
}
