/** Protects foreign zvols from a rollback, and an operation's own zvols from being overlooked. */
import assert from "node:assert/strict";
import { findZvols } from "../../../lib/operations/steps/roll_back.ts";
import { ZVOL_PROPERTIES } from "../../../lib/inventory/marks.ts";
import type { Caller } from "../../../lib/truenas/client.ts";
import type { CreatedResources, CreatedZvol } from "../../../lib/operations/steps/created_resources.ts";

const ZVOL = "tank/vms/a-disk0";

/** The owner of the zvol, if the NAS reports these properties. */
function ownerOf(
  properties: Record<string, { rawvalue: string }> | undefined,
  zvol: CreatedZvol,
) {
  const row = {
    id: ZVOL,
    type: "VOLUME",
    ...(properties === undefined ? {} : { user_properties: properties }),
  };
  const caller = { call: () => Promise.resolve([row]) } as unknown as Caller;
  const created: CreatedResources = {
    operation: "op",
    uuid: "u",
    vmId: null,
    devices: new Set(),
    zvols: new Map([[ZVOL, zvol]]),
    kept: new Set(),
    started: false,
    doneSteps: [],
  };
  return findZvols(caller, created, null);
}

Deno.test("the NAS's answer counts as evidence of ownership only if properties cannot be read (fault 3)", async () => {
  const answered = { marked: true, answered: true };
  const mark = (operation: string) => ({
    [ZVOL_PROPERTIES.vm]: { rawvalue: "x" },
    [ZVOL_PROPERTIES.operation]: { rawvalue: operation },
  });
  const [own, doubtful, others] = [
    { own: [ZVOL], doubtful: [], unread: null },
    { own: [], doubtful: [ZVOL], unread: null },
    { own: [], doubtful: [], unread: null },
  ];
  assert.deepEqual(await ownerOf(undefined, answered), own);
  assert.deepEqual(await ownerOf(undefined, { ...answered, answered: false }), doubtful);
  assert.deepEqual(await ownerOf({}, answered), doubtful, "it would say so");
  assert.deepEqual(await ownerOf(mark("op"), answered), own);
  assert.deepEqual(await ownerOf(mark("other"), answered), others, "somebody else took the name");
});
