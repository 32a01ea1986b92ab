/** Below a type's heading in a plan: how its VMs get their first configuration, and how it is known that they answer. */
import { describeOtherwise, describeWhen } from "../../../lib/first_boot/readiness/planned_ready.ts";
import { fingerprintOf } from "../../../lib/first_boot/rendering/ssh_keys.ts";
import type { PlannedReady, PlannedSeed, SeedKey } from "../../../lib/first_boot/types.ts";
import type { PlannedVm } from "../../../lib/plan/types.ts";
import { formatDuration } from "../../../lib/units.ts";
import { Said } from "../said.tsx";
import { COLUMNS } from "./plan_icons.tsx";

/** The rows; one for all VMs of which the same is said. Nothing where nothing is planned. */
export function PlanFirstBoot({ type, vms }: { readonly type: string; readonly vms: readonly PlannedVm[] }) {
  const planned = vms.filter(({ steps }) => steps.includes("seed") || steps.includes("ready"));
  const alike = [...Map.groupBy(planned, saidOf).values()];
  return (
    <>
      {alike.map((same) => {
        const { seed, ready } = same[0] ?? {};
        return (
          <tr class="detail quiet first-boot-plan" data-first-boot={type}>
            <td class="c-sign"></td>
            <td colspan={COLUMNS - 1}>
              <dl>
                {alike.length === 1 ? null : (
                  <div>
                    <dt>VMs</dt>
                    <dd>{same.map(({ name }) => name).join(", ")}</dd>
                  </div>
                )}
                {seed === undefined ? null : <Seed seed={seed} vms={same} />}
                {ready === undefined ? null : <Ready ready={ready} />}
              </dl>
            </td>
          </tr>
        );
      })}
    </>
  );
}

function saidOf({ seed, ready }: PlannedVm): string {
  const { kind, way, reason, files, keys } = seed ?? {};
  return JSON.stringify([kind, way, reason, files, keys, ready]);
}

const KINDS = {
  "cloud-init": "cloud-init",
  talos: "Talos machine configuration",
  ignition: "Ignition",
} as const satisfies Record<PlannedSeed["kind"], string>;

const WAYS = {
  url: "fetched from this program",
  disk: "on a CD-ROM",
} as const satisfies Record<PlannedSeed["way"], string>;

function Seed({ seed, vms }: { readonly seed: PlannedSeed; readonly vms: readonly PlannedVm[] }) {
  const { kind, way, reason, files, keys } = seed;
  const names = vms.flatMap(({ name, seed }) =>
    seed === undefined || seed.hostname === name ? [] : [seed.hostname]
  );
  return (
    <>
      <div>
        <dt>First configuration (seed)</dt>
        <dd>
          {KINDS[kind]}, {WAYS[way]}
          <span class="where">
            <Said text={`because ${reason}`} />
          </span>
        </dd>
      </div>
      {names.length === 0 ? null : (
        <div>
          <dt>Host names</dt>
          <dd>{names.length === 1 ? names[0] : `${names[0]} to ${names.at(-1)}`}</dd>
        </div>
      )}
      {files.length === 0 ? null : (
        <div>
          <dt>Made from</dt>
          <dd>
            {files.map((file) => <code class="line">{file}</code>)}
          </dd>
        </div>
      )}
      {keys.length === 0 ? null : (
        <div>
          <dt>SSH keys</dt>
          <dd>
            <ul class="plain">
              {keys.map((key) => <Key planned={key} />)}
            </ul>
          </dd>
        </div>
      )}
    </>
  );
}

/** The fingerprint is what `ssh-keygen -l` prints. */
function Key({ planned: { key, from } }: { readonly planned: SeedKey }) {
  const [kind = "", , ...comment] = key.trim().split(/\s+/);
  const facts = [comment.join(" "), from === "inline" ? "" : `from ${from}`].filter((it) => it !== "");
  return (
    <li>
      {kind} <code class="faint">{fingerprintOf(key)}</code>
      {facts.length === 0 ? null : (
        <span class="where">
          <Said text={facts.join(", ")} />
        </span>
      )}
    </li>
  );
}

function Ready({ ready: { when, timeoutMs, otherwise } }: { readonly ready: PlannedReady }) {
  return (
    <div>
      <dt>Ready when</dt>
      <dd>
        {describeWhen(when)}
        <span class="where">
          waited for {formatDuration(timeoutMs)} at most; after that {describeOtherwise(otherwise)}
        </span>
      </dd>
    </div>
  );
}
