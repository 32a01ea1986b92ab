/** Whether a VM still is as its type says, with each difference. */
import { shortened } from "../../../lib/plan/description.ts";
import type { Difference } from "../../../lib/plan/types.ts";
import { formatCount } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import { State } from "../common.tsx";

/** How a VM compares with its type. */
export type TypeMatch =
  | {
    readonly kind: "compared";
    readonly type: string;
    readonly differences: readonly Difference[];
    /** `missing: disk1`, and why it is not added. */
    readonly missing: readonly string[];
    readonly missingDevices: number;
    /** How many VMs the type has, where this one is beyond them; null where it is not. */
    readonly surplus: number | null;
    /** The type said something else when the VM was made. */
    readonly isChanged: boolean;
  }
  /** The configuration no longer has the type. */
  | { readonly kind: "gone"; readonly type: string }
  /** The configuration or a template cannot be read. */
  | { readonly kind: "unreadable"; readonly type: string };

/** In how many points a VM differs from its type, as its overview lists them; 0 where it is not compared. */
export function countDifferences(match: TypeMatch | null): number {
  if (match?.kind !== "compared") return 0;
  return match.differences.length + match.missingDevices + (match.surplus === null ? 0 : 1);
}

/** Whether all that differs is that the VM is one more than its type has: that needs no look. */
export function isOnlyExtra(match: TypeMatch | null): boolean {
  return match?.kind === "compared" && match.surplus !== null && countDifferences(match) === 1;
}

/** Whether the plan of its type could settle any of it. */
function isApplicable(match: Extract<TypeMatch, { kind: "compared" }>): boolean {
  return match.missingDevices > 0 || match.differences.some(({ never }) => never === null);
}

/** The fact: the type, and what differs, with a link to where it can be applied. */
export function TypeMatchFact(
  { match, vm, mayChange }: { match: TypeMatch; vm: string; mayChange: boolean },
) {
  const { type } = match;
  if (match.kind === "gone") {
    return (
      <>
        <span dir="auto">{type}</span>
        <small>
          The configuration no longer has this type. The VM stays as it is.{" "}
          <a href={paths.types()}>VM types</a>
        </small>
      </>
    );
  }
  if (match.kind === "unreadable") {
    return (
      <>
        <span dir="auto">{type}</span>
        <small>
          Not compared, because the configuration or a template has mistakes.{" "}
          <a href={paths.types()}>Show them</a>
        </small>
      </>
    );
  }
  const { differences, missing, surplus, isChanged } = match;
  const count = countDifferences(match);
  const isSame = count === 0;
  return (
    <>
      <span class="row">
        <a href={mayChange ? paths.editType(type) : paths.types()} dir="auto">{type}</a>
        {isSame
          ? <State tone="good" word="Matches its type" />
          : isOnlyExtra(match)
          ? <State tone="quiet" word="Extra" />
          : <State tone="warn" word={`${formatCount(count, "difference")} from its type`} />}
      </span>
      {isSame ? null : (
        <ul class="differences">
          {differences.map(({ field, wanted, found, never }) => (
            <li>
              {field}: <bdi>{shortened(found)}</bdi> here, <bdi>{shortened(wanted)}</bdi> in the type
              {never === null ? "" : ` (${never})`}
            </li>
          ))}
          {missing.map((reason) => <li>{reason}</li>)}
          {surplus === null
            ? null
            : <li>the type has only {formatCount(surplus, "VM")} now, and this is a further one</li>}
        </ul>
      )}
      {mayChange && isApplicable(match)
        ? <a class="btn sm" id="review-differences" href={paths.typePlan(type, vm)}>Review and apply…</a>
        : null}
      {!isSame && isChanged ? <small>When this VM was created, the type was different.</small> : null}
    </>
  );
}
