/**
 * Protects people from a frozen NAS: it is connected but answers nothing, not even a ping. Every page answers long
 * before the connection times out, and says what is known and what is not.
 */
import assert from "node:assert/strict";
import { repeatedly } from "../../support/deadline.ts";
import { startDashboard, type TestDashboard } from "../../support/pages/dashboard.ts";
import { FORM, post, text as textOf } from "../../support/pages/http.ts";

/** The NAS never answers in these tests: a page that waits for a call's own end (30 s) is too late. */
const ANSWERED_MS = 15_000;

const SILENT = /has sent nothing for .* s and does not answer a ping/;

/** From now on the NAS answers nothing. */
function freeze({ simulator }: TestDashboard): void {
  simulator.addFault({ methods: () => true, action: "stall", times: Infinity });
}

interface Expected {
  readonly status: number;
  readonly says: RegExp;
}

/** What needs no reading of the NAS at this moment is shown whole. */
const whole = (says: RegExp): Expected => ({ status: 200, says });
/** What is about the NAS as it is now cannot be shown. */
const SAYS_SILENT: Expected = { status: 503, says: SILENT };

Deno.test("a frozen NAS blocks no page; each answers in time and says what is unknown (fault 18)", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    manager: { silenceMs: 50, publicHost: "nas.test" },
  });
  const [vm] = (await dashboard.manager.inventory.live.ready()).vms ?? [];
  assert.ok(vm !== undefined, "the premise: there is a VM");
  const one = `/vms/${vm.id}`;
  freeze(dashboard);
  const named = new RegExp(vm.name);
  const pages: Record<string, Expected> = {
    "/": whole(named),
    [one]: whole(named),
    [`${one}/serial`]: whole(named),
    [`${one}/destroy`]: SAYS_SILENT,
    [`${one}/console.vv`]: { status: 409, says: /listens only on/ },
    [`${one}/console`]: whole(named),
    [`${one}/console/nas`]: { status: 502, says: SILENT },
    [`/vms/act?action=stop&id=${vm.id}`]: whole(named),
    "/create": whole(/worker/),
    "/destroy": SAYS_SILENT,
    [`/destroy?selection=1&id=${vm.id}`]: SAYS_SILENT,
    "/orphans": SAYS_SILENT,
    "/operations": whole(/Operations/),
    "/operations/audit": whole(/Audit/),
    "/export": whole(named),
    "/export?planned=yes": SAYS_SILENT,
    "/connection": whole(/nas\.test/),
  };
  const get = Object.entries(pages).map(async ([path, expected]) => {
    const response = await fetch(dashboard.url + path, {
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWERED_MS),
    });
    await expect(path, response, expected);
  });
  const forms: Record<string, readonly [fields: Record<string, string>, expected: Expected]> = {
    "/create/plan": [FORM, { status: 503, says: /sent nothing for .* Your entries are kept/ }],
    "/create": [FORM, { status: 503, says: /sent nothing for .* Your entries are kept/ }],
    "/destroy": [{ prefixes: "worker", phrase: "destroy 1 VM" }, SAYS_SILENT],
    "/orphans": [{ phrase: "destroy 1 orphan" }, SAYS_SILENT],
    [`${one}/destroy`]: [{ phrase: "destroy 1 VM" }, SAYS_SILENT],
    [`${one}/password`]: [{}, SAYS_SILENT],
  };
  const sent = Object.entries(forms).map(async ([path, [fields, expected]]) =>
    await expect(`POST ${path}`, await post(dashboard, path, fields), expected)
  );
  await Promise.all([...get, ...sent]);
});

Deno.test("a form on a VM's page is answered while the NAS is frozen, and leads to its operation (fault 18)", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    manager: { silenceMs: 50 },
  });
  const [vm] = (await dashboard.manager.inventory.live.ready()).vms ?? [];
  assert.ok(vm !== undefined, "the premise: there is a VM");
  freeze(dashboard);
  const { name, description, cores, threads, sockets, memoryMib } = vm;
  const settings = {
    name,
    description: `${description} changed`,
    cpu: String(cores * threads * sockets),
    memory: String(memoryMib),
  };
  const response = await post(dashboard, `/vms/${vm.id}/settings`, settings);
  await response.body?.cancel();
  assert.equal(response.status, 303);
  assert.match(response.headers.get("location") ?? "", /^\/operations\//);
});

Deno.test("a VM's page says that the VMs are unknown, not that the VM does not exist (fault 18)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 }, untilConnected: false });
  dashboard.simulator.addFault({ method: "pool.dataset.query", action: "stall", times: Infinity });
  await dashboard.manager.connection.keepConnected();
  const response = await fetch(`${dashboard.url}/vms/1`);
  await expect("/vms/1", response, { status: 503, says: /its VMs are unknown/ });
});

Deno.test("a slow NAS that answers pings is given time (fault 18)", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    manager: { silenceMs: 500 },
  });
  await dashboard.manager.inventory.live.ready();
  const { promise: until, resolve } = Promise.withResolvers<void>();
  dashboard.simulator.addFault({ method: "vm.query", action: "hold", until });
  const page = fetch(`${dashboard.url}/destroy`);
  const pings = () => dashboard.simulator.calls.filter(({ method }) => method === "core.ping").length;
  await repeatedly("the connection is checked", () => Promise.resolve(pings() >= 3 || null));
  resolve();
  await expect("/destroy", await page, whole(/Destroy/));
});

async function expect(what: string, response: Response, { status, says }: Expected): Promise<void> {
  const text = await textOf(response);
  assert.equal(response.status, status, `${what}: ${text.replace(/<[^>]*>/g, " ").slice(0, 600)}`);
  assert.match(text, says, what);
}
