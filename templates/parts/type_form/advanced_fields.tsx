/** The folded part of a VM type's form; its closed line says what it holds. */
import { Choice, Field, Tick } from "../common.tsx";
import { Icon } from "../icons.tsx";
import { CdromChoice, CloneTick, type ImageFieldsProps } from "./image_fields.tsx";
import { type CreateFormType, FAILURE_CHOICES, FAILURE_CHOICES_OF_ONE } from "./form.ts";

const FIELDS: readonly string[] = ["threads", "parallel", "on_failure", "description", "cdrom", "clone"];

/** The fields; open when one of them has a problem. */
export function AdvancedFields(
  { isOne = false, ...fields }: ImageFieldsProps & {
    /** Whether the form is of one VM, which has no others beside it. */
    readonly isOne?: boolean;
  },
) {
  const { type, problems, place: { prefix } } = fields;
  const at = (field: string) => `${prefix}${field}`;
  const hasProblem = problems.some(({ field }) =>
    field.startsWith(prefix) && (FIELDS.includes(field.slice(prefix.length)) || field.endsWith(".macs"))
  );
  return (
    <details class="fold" open={hasProblem}>
      <summary>
        <Icon name="chevron" />
        <b>Advanced</b>
        <span>{summaryOf(type, isOne)}</span>
      </summary>
      <div class="body stack">
        <div class="fields-3">
          <Field
            name={at("threads")}
            label="Threads per core"
            value={type.threads}
            problems={problems}
            numeric
            help="Empty: 1"
          />
          {isOne ? null : (
            <Field
              name={at("parallel")}
              label="VMs at a time"
              value={type.parallel}
              problems={problems}
              numeric
              help="Empty: the NAS's limit"
            />
          )}
          <Choice
            name={at("on_failure")}
            label={isOne ? "If it fails" : "If a VM fails"}
            value={type.onFailure}
            choices={isOne ? FAILURE_CHOICES_OF_ONE : FAILURE_CHOICES}
            problems={problems}
          />
          {isOne ? null : <CdromChoice {...fields} />}
          <Field name={at("description")} label="Description" value={type.description} problems={problems} />
          {type.networks.map(({ name, macs }, n) => (
            <Field
              name={at(`network.${n}.macs`)}
              label={`${isOne ? "MAC" : "MACs"} of ${name || `network ${n + 1}`}`}
              value={macs}
              problems={problems}
              help={isOne
                ? "Empty: derived, and the same each time"
                : "One for each VM, separated by spaces. Empty: derived, and the same each time"}
            />
          ))}
        </div>
        <div class="row wide-gap">
          {isOne ? null : <Tick name={at("start")} label="Start once created" ticked={type.start} />}
          <Tick name={at("autostart")} label="Start with the NAS" ticked={type.autostart} />
          <Tick
            name={at("sparse")}
            label="Thin disks: use space only as data is written"
            ticked={type.sparse}
          />
          <CloneTick {...fields} />
          <Tick name={at("overcommit")} label="Start even if memory is short" ticked={type.overcommit} />
        </div>
        {type.overrides.length === 0 ? null : (
          <p class="help">
            It overrides these template values: {type.overrides.join(", ")}. Change them in the YAML tab.
          </p>
        )}
      </div>
    </details>
  );
}

const FAILURE_WORDS: Readonly<Record<string, string>> = {
  "roll-back": "undo if one fails",
  keep: "keep what fails",
  stop: "stop if one fails",
};

const FAILURE_WORDS_OF_ONE: Readonly<Record<string, string>> = {
  "roll-back": "undo if it fails",
  keep: "keep it if it fails",
};

function summaryOf(
  { start, autostart, sparse, overcommit, onFailure }: CreateFormType,
  isOne: boolean,
): string {
  const parts = [
    ...(isOne ? [] : [start ? "start once created" : "do not start"]),
    autostart ? "start with the NAS" : "not with the NAS",
    ...(sparse ? ["thin disks"] : []),
    ...(overcommit ? ["even if memory is short"] : []),
    (isOne ? FAILURE_WORDS_OF_ONE : FAILURE_WORDS)[onFailure] ?? "",
  ].filter((part) => part !== "");
  const [first = "", ...others] = parts;
  return [`${first.slice(0, 1).toUpperCase()}${first.slice(1)}`, ...others].join(", ");
}
