/** Deliberate errors, each with the tests that catch it. */

/** An error, and where it is planted. */
export interface PlantedError {
  readonly name: string;
  /** From the project's root. */
  readonly file: string;
  /** The text to replace, which occurs exactly once. */
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: {
    /** Test files, from the project's root. */
    readonly tests: readonly string[];
    /** Part of the names of the tests. */
    readonly filter: string;
  };
}

/** The errors. */
export const PLANTED_ERRORS: readonly PlantedError[] = [
  {
    name: "an approval for an agent can be used again",
    file: "lib/agents/approval_table.ts",
    find: "id = ? AND used IS NULL AND withdrawn IS NULL AND expires > ?",
    replace: "id = ? AND withdrawn IS NULL AND expires > ?",
    caughtBy: { tests: ["tests/unit/agents_test.ts"], filter: "an approval is used once" },
  },
  {
    name: "an agent creates what config.yaml says now, and not what was approved",
    file: "lib/agents/approvals.ts",
    find: "if (approved.contents !== contents) throw",
    replace: "if (approved.contents === undefined) throw",
    caughtBy: { tests: ["tests/unit/agents_test.ts"], filter: "an approval is used once" },
  },
  {
    name: "an agent creates without using up the approval",
    file: "lib/agents/create_tool.ts",
    find: "if (approval !== null) context.approvals?.redeem(approval, contentsOf(request, manager));",
    replace: "",
    caughtBy: {
      tests: ["tests/contract/agents/mcp_test.ts"],
      filter: "an agent creates what a person approved",
    },
  },
  {
    name: "the worker's permissions are inherited from the program",
    file: "main.ts",
    find: "deno: { permissions: { ...permissions } }",
    replace: 'deno: { permissions: "inherit" }',
    caughtBy: { tests: ["tests/contract/permissions_test.ts"], filter: "(fault 9" },
  },
  {
    name: "the worker may run programs",
    file: "lib/configuration/permissions.ts",
    find: "[SHELL] : false,",
    replace: '[SHELL] : ["true"],',
    caughtBy: { tests: ["tests/contract/permissions_test.ts"], filter: "(fault 9" },
  },
  {
    name: "the address of a seed is in the result of its step",
    file: "lib/first_boot/steps/seed_step.ts",
    find: "fetches it from ${new URL(url).host}`",
    replace: "fetches it from ${url}`",
    caughtBy: {
      tests: ["tests/routes/first_boot/seed_secrets_test.ts"],
      filter: "neither the address of a seed",
    },
  },
  {
    name: "a failed basic authentication is not counted",
    file: "routes/auth/access.tsx",
    find: "await attempts.attempt(address, check);",
    replace:
      'what === "Sign in" ? await attempts.attempt(address, check) : { right: check(), wasDelayed: false };',
    caughtBy: {
      tests: ["tests/routes/auth/passwords_test.ts"],
      filter: "a wrong password of basic authentication",
    },
  },
  {
    name: "wrong passwords have no limit in total",
    file: "routes/auth/attempts.ts",
    find: "const tooMany = this.#latest.length >= total;",
    replace: "const tooMany = false;",
    caughtBy: { tests: ["tests/routes/auth/passwords_test.ts"], filter: "(fault 13)" },
  },
  {
    name: "a host is allowed by its suffix",
    file: "routes/auth/access.tsx",
    find: "allowed.some((it) => nameOf(it) === name)",
    replace: "allowed.some((it) => name.endsWith(nameOf(it) ?? it))",
    caughtBy: { tests: ["tests/routes/auth/sites_test.ts"], filter: "only allowed names and addresses" },
  },
  {
    name: "any name that ends in localhost is allowed",
    file: "routes/auth/access.tsx",
    find: 'name === "localhost"',
    replace: 'name.endsWith("localhost")',
    caughtBy: { tests: ["tests/routes/auth/sites_test.ts"], filter: "only allowed names and addresses" },
  },
  {
    name: "anything in square brackets is allowed",
    file: "routes/auth/access.tsx",
    find: "  const name = nameOf(host);\n  if (name === null) return false;\n",
    replace:
      '  const name = nameOf(host);\n  if (host.startsWith("[")) return true;\n  if (name === null) return false;\n',
    caughtBy: { tests: ["tests/routes/auth/sites_test.ts"], filter: "only allowed names and addresses" },
  },
  {
    name: "the old session is kept after a sign-in",
    file: "routes/auth/access.tsx",
    find: '    sessions.end(getCookie(c, name) ?? "");\n    setCookie',
    replace: "    setCookie",
    caughtBy: {
      tests: ["tests/routes/auth/sessions_test.ts"],
      filter: "a sign-in ends the browser's previous session",
    },
  },
  {
    name: "pages may be shown in a frame of another site",
    file: "routes/server/http/security_headers.ts",
    find: "      frameAncestors: [\"'none'\"],\n",
    replace: "",
    caughtBy: {
      tests: ["tests/routes/auth/sites_test.ts"],
      filter: "no page can be shown in a frame",
    },
  },
  {
    name: "a carriage return does not end a line of a stream",
    file: "routes/live/streams.ts",
    find: "data.split(/\\r\\n|\\r|\\n/)",
    replace: "data.split(/\\r?\\n/)",
    caughtBy: { tests: ["tests/unit/pages/frame_test.ts"], filter: "(fault 19)" },
  },
  {
    name: "a host name is not cleaned in an export",
    file: "lib/exports/values.ts",
    find: "  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label) ? label as HostName : null;\n",
    replace: "  return label as HostName;\n",
    caughtBy: { tests: ["tests/unit/exports_test.ts"], filter: "parseHostName()" },
  },
  {
    name: "the journal does not wait for the disk",
    file: "lib/operations/record/journal.ts",
    find: "PRAGMA synchronous = FULL",
    replace: "PRAGMA synchronous = OFF",
    caughtBy: {
      tests: ["tests/contract/operations/journal/journal_file_test.ts"],
      filter: "the journal waits until each event",
    },
  },
  {
    name: "zvols are destroyed with their VM, recursively",
    file: "lib/operations/steps/vm_steps.ts",
    find: "{ zvols: false, force }",
    replace: "{ zvols: true as unknown as false, force }",
    caughtBy: { tests: ["tests/contract/operations/removal_test.ts"], filter: "(fault 40)" },
  },
  {
    name: "destroy --vm also destroys the configuration's types",
    file: "lib/command_line/commands/run_command.ts",
    find: "prefixes: prefixes ?? [], names",
    replace: 'prefixes: prefixes ?? ["controlplane", "worker"], names',
    caughtBy: { tests: ["tests/contract/command_line/command_line_test.ts"], filter: "(fault 1)" },
  },
  {
    name: "input in the serial console is sent as text",
    file: "lib/truenas/connection/shell.ts",
    find: "socket.send(encoder.encode(data))",
    replace: "socket.send(data)",
    caughtBy: { tests: ["tests/routes/vms/serial_test.ts"], filter: "(fault 41)" },
  },
  {
    name: "a redirect may lead to a script",
    file: "routes/server/http/headers.ts",
    find: "return isOwnPath(value) || (isHeaderText(value) && /^https?:\\/\\//.test(value));",
    replace: "return isHeaderText(value);",
    caughtBy: { tests: ["tests/routes/headers_test.ts"], filter: "(fault 6)" },
  },
  {
    name: "browsers send no origin with forms",
    file: "routes/server/http/security_headers.ts",
    find: 'referrerPolicy: "same-origin"',
    replace: 'referrerPolicy: "no-referrer"',
    caughtBy: {
      tests: ["tests/routes/auth/sites_test.ts"],
      filter: "no page can be shown in a frame",
    },
  },
  {
    name: "the inventory says to which host the dashboard connects for a screen",
    file: "lib/consoles/display_target.ts",
    find: "return mayLead ? host : null;",
    replace: "return bind;",
    caughtBy: { tests: ["tests/unit/display_target_test.ts"], filter: "never leads to a host" },
  },
  {
    name: "viewers may open screens",
    file: "routes/vms/display.tsx",
    find: "if (!mayChange(c)) return c.text(",
    replace: "if (c === null) return c.text(",
    caughtBy: { tests: ["tests/routes/vms/display_test.ts"], filter: "a screen is refused to viewers" },
  },
  {
    name: "a screen outlives its session",
    file: "routes/vms/display_relay.ts",
    find: 'session?.ended.addEventListener("abort", onSignedOut, { once: true });',
    replace: "",
    caughtBy: {
      tests: ["tests/routes/vms/display_test.ts"],
      filter: "a screen closes when its session ends",
    },
  },
  {
    name: "a configuration is saved although it changed meanwhile",
    file: "routes/types/saving.tsx",
    find: 'const isChanged = shown !== "" && shown !== view.fingerprint;',
    replace: "const isChanged = false;",
    caughtBy: { tests: ["tests/routes/types/meanwhile_test.ts"], filter: "a file that changed meanwhile" },
  },
  {
    name: "a file stays half-written when the disk is full",
    file: "lib/configuration/editing/overwrite.ts",
    find: "    putBack(file, before);\n",
    replace: "",
    caughtBy: {
      tests: ["tests/unit/configuration/configuration_store_test.ts"],
      filter: "a full disk leaves the file as it was",
    },
  },
  {
    name: "an edit of the configuration is not compared with what was wanted",
    file: "lib/configuration/editing/edits.ts",
    find: "if (after === null || !isAsWanted(edit, before, after, defaults)) return refused(BY_REFERENCE);",
    replace: "",
    caughtBy: { tests: ["tests/unit/configuration/edits_test.ts"], filter: "what comes from an anchor" },
  },
  {
    name: "a resumed replacement adopts a zvol of another VM",
    file: "lib/plan/replacing/ongoing.ts",
    find: "return isSameOrigin(mark, found.mark, uuids) ?",
    replace: 'return isSameOrigin(mark, mark, [...uuids, mark?.vm ?? ""]) ?',
    caughtBy: {
      tests: ["tests/contract/operations/replacing_resumed_test.ts"],
      filter: "adopts no zvol that names another VM",
    },
  },
  {
    name: "rolling a replacement back removes the disk that was kept",
    file: "lib/operations/steps/roll_back.ts",
    find: "\n    .filter((name) => !created.kept.has(name));",
    replace: ";",
    caughtBy: {
      tests: ["tests/contract/operations/replacing_failures_test.ts"],
      filter: "rolling back what a refusal left",
    },
  },
  {
    name: "replacing a VM removes every disk",
    file: "lib/plan/replacing/replacement.ts",
    find: "name === null || !goes(step)",
    replace: "name === null",
    caughtBy: {
      tests: ["tests/contract/operations/replacing_test.ts"],
      filter: "a replaced VM keeps its MACs",
    },
  },
  {
    name: "a VM that changed since its plan was shown is replaced",
    file: "lib/operations/steps/replacing/remove_old.ts",
    find: "if (change !== null) {",
    replace: 'if (change === "") {',
    caughtBy: {
      tests: ["tests/contract/operations/replacing_failures_test.ts"],
      filter: "a VM that changed since its plan was shown",
    },
  },
  {
    name: "an interrupted replacement goes on by itself",
    file: "lib/operations/resuming.ts",
    find: " && !resumable.some(isReplaced)",
    replace: "",
    caughtBy: {
      tests: ["tests/contract/operations/journal/resuming_test.ts"],
      filter: "waits for a decision, because it removes disks",
    },
  },
  {
    name: "a kept disk is removed as an orphan",
    file: "lib/plan/orphans.ts",
    find: "...refusals, ...[keptReason(kept, zvol) ?? []].flat()",
    replace: "...refusals",
    caughtBy: {
      tests: ["tests/contract/operations/replacing_failures_test.ts"],
      filter: "a refusal after the old VM is gone",
    },
  },
  {
    name: "VMs are replaced without their phrase",
    file: "routes/create/plan_selection.ts",
    find: "typed.phrase.toLowerCase() !== phrase",
    replace: 'typed.phrase === "no"',
    caughtBy: {
      tests: ["tests/routes/create/plan_changes_test.ts"],
      filter: "replacing needs the phrase",
    },
  },
  {
    name: "a plan that is shown again forgets what was unticked",
    file: "routes/create/plan_selection.ts",
    find: "(offered.includes(name) ? typed : usual)",
    replace: "(offered.length > 99 ? typed : usual)",
    caughtBy: {
      tests: ["tests/routes/create/plan_changes_test.ts"],
      filter: "nothing is ticked is not",
    },
  },
  {
    name: "an image is removed although VMs are clones of it",
    file: "lib/images/removing/plan.ts",
    find: "if (promotion === null) return [describeClones(dependants)];",
    replace: "if (promotion === null) return [];",
    caughtBy: {
      tests: ["tests/contract/images/removing_test.ts"],
      filter: "an image with clones is not removed",
    },
  },
  {
    name: "a zvol of somebody else counts as an image's",
    file: "lib/images/listing/image_list.ts",
    find: "if (mark === null) return image !== null;",
    replace: "if (mark === null) return true;",
    caughtBy: { tests: ["tests/contract/images/removing_test.ts"], filter: "a zvol of somebody else" },
  },
  {
    name: "the disks of a running VM are rolled back",
    file: "lib/checkpoints/steps/power.ts",
    find: 'if (found.state === "STOPPED") return found;',
    replace: 'if (found.state !== "SUSPENDED") return found;',
    caughtBy: {
      tests: ["tests/contract/checkpoints/rollback_test.ts"],
      filter: "a VM that somebody starts meanwhile is not rolled back (25.10",
    },
  },
  {
    name: "a rollback goes past snapshots that nobody has seen",
    file: "lib/checkpoints/steps/roll_back.ts",
    find: "if (more === undefined) return;",
    replace: "if (more === undefined || newer.length >= 0) return;",
    caughtBy: {
      tests: ["tests/contract/checkpoints/rollback_test.ts"],
      filter: "a snapshot that appears after the list was shown is never removed (25.10",
    },
  },
  {
    name: "a seed's dataset is removed although it names another VM",
    file: "lib/first_boot/iso/remove_seed.ts",
    find: "if (mark === null || uuid === null || mark.vm !== uuid) return",
    replace: "if (mark === null) return",
    caughtBy: { tests: ["tests/contract/first_boot/seed_by_disk_test.ts"], filter: "destroying a VM" },
  },
  {
    name: "a static address that another VM has is given away",
    file: "lib/plan/preflight/addresses.ts",
    find: "it.address === address && !all",
    replace: 'it.address === "" && !all',
    caughtBy: { tests: ["tests/unit/first_boot/addresses_test.ts"], filter: "is not given away" },
  },
  {
    name: "a MAC address of digits is a number in a seed",
    file: "lib/first_boot/rendering/template.ts",
    find: "if (isNumber || plain.includes",
    replace: "if (isNumber || !plain.includes",
    caughtBy: { tests: ["tests/unit/first_boot/template_test.ts"], filter: "variables are replaced" },
  },
  {
    name: "a mistake in a file of a seed is told with what the file says",
    file: "lib/first_boot/rendering/places.ts",
    find: "slice(0, 1).map(({ code, pos }) => ({\n    message: `",
    replace: "slice(0, 1).map(({ code, pos, message }) => ({\n    message: `${message} ",
    caughtBy: { tests: ["tests/unit/first_boot/template_test.ts"], filter: "never repeats the text" },
  },
];
