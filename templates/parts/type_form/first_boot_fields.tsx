/** The folded part of a VM type's form about the first boot: the seed, addresses, and when a VM counts as ready. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Choice, Field, FieldError, fieldId, Tick } from "../common.tsx";
import { Icon } from "../icons.tsx";
import { Said } from "../said.tsx";
import type { TypeFieldsProps } from "./fields.tsx";
import {
  describeFirstBoot,
  type FirstBootForm,
  KIND_CHOICES,
  OTHERWISE_CHOICES,
  type SeedText,
  WHEN_CHOICES,
} from "./first_boot.ts";

const NOTHING = "No first configuration, addresses by DHCP";
const OWN = /^(seed\.|ready\.|quorum$|network\.\d+\.(addresses|gateway|dns)$)/;

/** The fields; open when one of them has a problem. Nothing where the form does not have them. */
export function FirstBootFields({ type, problems, place }: TypeFieldsProps) {
  const { firstBoot, networks } = type;
  if (firstBoot === null) return null;
  const said = describeFirstBoot(firstBoot, networks);
  const fields = { form: firstBoot, prefix: place.prefix, problems };
  return (
    <details class="fold first-boot" open={problems.some(({ field }) => isOwn(field, place.prefix))}>
      <summary>
        <Icon name="chevron" />
        <b>First boot</b>
        <span>{said.length === 0 ? NOTHING : said.join(", ")}</span>
      </summary>
      <div class="body stack">
        <SeedFields {...fields} />
        <AddressFields type={type} problems={problems} place={place} />
        <ReadyFields {...fields} />
      </div>
    </details>
  );
}

function isOwn(field: string, prefix: string): boolean {
  return field.startsWith(prefix) && OWN.test(field.slice(prefix.length));
}

interface PartProps {
  readonly form: FirstBootForm;
  readonly prefix: string;
  readonly problems: readonly Problem[];
}

/** The fields of the other kinds are hidden by the style sheet, and are not saved. */
function SeedFields({ form: { kind, seed }, prefix, problems }: PartProps) {
  const at = (key: SeedText) => ({ name: `${prefix}seed.${key}`, value: seed[key], problems });
  return (
    <fieldset class="bare stack">
      <legend class="label">First configuration (seed)</legend>
      <Choice
        name={`${prefix}seed.kind`}
        label="Read in the guest by"
        value={kind}
        choices={KIND_CHOICES}
        problems={problems}
      />
      <div class="fields-3 of-any">
        <Field {...at("hostname")} label="Host name" help="Empty: the VM's name. Or node-{{ vm.index }}" />
        <div class="of-user">
          <Field {...at("user")} label="User" help="Who may use sudo, for example admin" />
        </div>
        <div class="of-cloud-init">
          <Field {...at("timezone")} label="Time zone" help="For example Europe/Berlin" />
        </div>
      </div>
      <div class="of-user">
        <Lines
          {...at("ssh_keys")}
          label="SSH keys of the user"
          help="One on a line: a public key, a file of keys beside config.yaml, or github:NAME"
        />
      </div>
      <div class="of-cloud-init stack">
        <Field {...at("packages")} label="Packages" help="With spaces between them: curl qemu-guest-agent" />
        <Lines {...at("run")} label="Commands" help="One on a line; they run once, at the end" />
        <div class="fields-2">
          <Field
            {...at("user_data")}
            label="File of user data"
            help="Such as seeds/web.yaml, beside config.yaml"
          />
          <Field
            {...at("network")}
            label="File of the network configuration"
            help="Empty: made from the addresses"
          />
        </div>
      </div>
      <div class="of-config">
        <Field
          {...at("config")}
          label="Configuration file"
          help="Such as seeds/worker.yaml from talosctl, or seeds/node.ign from butane"
        />
      </div>
      <div class="of-talos stack">
        <Lines {...at("patches")} label="Patches" help="Files that are merged over it, one on a line" />
        <Field {...at("version")} label="Version of Talos" help="Empty: that of the file. Or 1.13" />
      </div>
    </fieldset>
  );
}

function AddressFields({ type: { networks }, problems, place: { prefix } }: TypeFieldsProps) {
  return (
    <>
      {networks.map(({ name, address }, n) => {
        if (address === undefined) return null;
        const at = (key: keyof typeof address) => ({
          name: `${prefix}network.${n}.${key}`,
          value: address[key],
          problems,
        });
        return (
          <fieldset class="bare">
            <legend class="label">Addresses in {name || `network ${n + 1}`}</legend>
            <div class="fields-3">
              <Field
                {...at("addresses")}
                label="Addresses"
                help="Empty: by DHCP. Or 10.0.0.21-29/24, one for each VM"
              />
              <Field {...at("gateway")} label="Gateway" help="The router, such as 10.0.0.1" />
              <Field {...at("dns")} label="DNS servers" help="With spaces between them" />
            </div>
          </fieldset>
        );
      })}
    </>
  );
}

function ReadyFields({ form: { when, port, timeout, otherwise, quorum }, prefix, problems }: PartProps) {
  return (
    <fieldset class="bare stack">
      <legend class="label">Ready</legend>
      <div class="fields-3 ready-fields">
        <Choice
          name={`${prefix}ready.when`}
          label="A VM is ready when"
          value={when}
          choices={WHEN_CHOICES}
          problems={problems}
        />
        <div class="of-port">
          <Field
            name={`${prefix}ready.port`}
            label="Port"
            value={port}
            problems={problems}
            numeric
            help="Such as 22 for SSH"
          />
        </div>
        <div class="of-wait">
          <Field
            name={`${prefix}ready.timeout`}
            label="Wait at most"
            value={timeout}
            problems={problems}
            help="Empty: 10m. Or 90s, 1h"
          />
        </div>
        <div class="of-wait">
          <Choice
            name={`${prefix}ready.otherwise`}
            label="If it does not answer in time"
            value={otherwise}
            choices={OTHERWISE_CHOICES}
            problems={problems}
          />
        </div>
      </div>
      <Tick
        name={`${prefix}quorum`}
        label="Keep more than half of the VMs running while they are replaced"
        ticked={quorum}
      />
    </fieldset>
  );
}

interface LinesProps {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly problems: readonly Problem[];
  readonly help: string;
}

const MIN_ROWS = 2;
const MAX_ROWS = 8;

/** A list with an entry on each line. */
function Lines({ name, label, value, problems, help }: LinesProps) {
  const own = problems.filter(({ field }) => field === name);
  const id = fieldId(name);
  const rows = Math.min(MAX_ROWS, Math.max(MIN_ROWS, value.split("\n").length));
  return (
    <div class={own.length === 0 ? "field" : "field invalid"}>
      <label for={id}>{label}</label>
      <textarea
        id={id}
        name={name}
        class="input lines"
        rows={rows}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={own.length === 0 ? undefined : "true"}
        aria-describedby={own.length === 0 ? `${id}-help` : `${id}-help ${id}-error`}
      >
        {/* Browsers leave the first line end out. */}
        {`\n${value}`}
      </textarea>
      <p class="help" id={`${id}-help`}>{help}</p>
      <FieldError name={name} problems={own} />
    </div>
  );
}

/** What a type says about the first boot, in a form that has no fields for it; with what is wrong there. */
export function FirstBootLine({ type: { firstBootSaid }, problems, place: { prefix } }: TypeFieldsProps) {
  const own = problems.filter(({ field }) =>
    field.startsWith(prefix) && /^(seed|ready|addresses|quorum)(\.|$)/.test(field.slice(prefix.length))
  );
  if (firstBootSaid.length === 0 && own.length === 0) return null;
  return (
    <div class="first-boot-line">
      <b>First boot</b> <span class="soft">{firstBootSaid.join(", ")}</span>
      {own.map(({ field, message }) => (
        <p class="error" id={fieldId(field)} data-error={field}>
          <Said text={message} />
        </p>
      ))}
    </div>
  );
}
