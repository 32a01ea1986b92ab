/** What the tools work with: in the process of the dashboard, or without one in that of the command mcp. */
import { type Configuration, unknownType } from "../configuration/configuration.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { sha256Hex } from "../hashes.ts";
import type { CreationRequest } from "../plan/creation_input.ts";
import type { CreationPlan } from "../plan/types.ts";
import { defaultTypes } from "../plan/wanted.ts";
import { autostartOf } from "../vm_templates/overrides.ts";
import type { VMManager } from "../vm_manager.ts";
import type { Approvals } from "./approvals.ts";

/** See the file's comment. */
export interface AgentContext {
  /** Of the NAS; connected, or connecting. */
  readonly manager: VMManager;
  /**
   * Reads config.yaml.
   *
   * @throws {ConfigurationError} listing every problem.
   */
  readonly configuration: () => Configuration;
  /** Null while the journal is not open. */
  readonly approvals: Approvals | null;
  /** Why the journal is not open, although it was wanted. */
  readonly noJournal?: string;
  /** Whether plans are carried out without an approval: `mcp --allow create`. */
  readonly isAllowed: boolean;
  /** Whether READ_ONLY is set. */
  readonly isReadOnly: boolean;
  /** The dashboard's address, without a slash at its end. */
  readonly dashboard: string;
  /** Whether a dashboard is running, on which people can approve. */
  readonly isDashboardRunning: boolean;
  /** Removes secrets from a text. */
  readonly redact: (text: string) => string;
  /** Aborted when the process that creates has to stop. */
  readonly signal?: AbortSignal;
  /** What has to be ready before VMs are created. */
  readonly prepare?: (plan: CreationPlan) => Promise<void>;
  /** Stays until guests need this process no longer. */
  readonly finish?: (progress: Progress) => Promise<void>;
}

/** Tells how far a creation is. */
export type Progress = (step: ProgressStep) => void;

/** How far it is, and what has just happened. */
export interface ProgressStep {
  /** Finished steps. */
  readonly done: number;
  /** All steps. */
  readonly total: number;
  readonly message: string;
}

/**
 * What agents can ask for: the configured VMs of these types, by default of all. What config.yaml leaves open is filled in
 * as on the dashboard's form, so that both have the same plan.
 *
 * @throws {ConfigurationError} naming every unknown type.
 */
export function requestOf(
  configuration: Configuration,
  { templates }: Pick<VMManager, "templates">,
  types: readonly string[] = [],
): CreationRequest {
  const known = Object.keys(configuration.types);
  const problems = types.filter((type) => !known.includes(type))
    .map((type) => ({ field: "types", message: unknownType(type, known) }));
  if (problems.length > 0) throw new ConfigurationError("configuration", problems);
  const filled = Object.entries(configuration.types).map(([name, type]) =>
    [name, { ...type, autostart: autostartOf(type, templates.defaults) }] as const
  );
  return {
    configuration: { ...configuration, types: Object.fromEntries(filled) },
    types: defaultTypes(configuration).filter(({ type }) => types.length === 0 || types.includes(type)),
  };
}

/**
 * Digest of what a plan does not show although VMs are made from it, such as a type's settings for the templates: whoever
 * can edit config.yaml must not change them between the approval and the creation.
 */
export function contentsOf(
  { configuration, types = [] }: CreationRequest,
  { templates }: Pick<VMManager, "templates">,
): string {
  const sections = types.map(({ type }) => [type, configuration.types[type]]);
  const { storage, images = null } = configuration;
  return sha256Hex(JSON.stringify([storage, images, sections, templates.digest]));
}

/** The page on which people review the plan of these types, and approve it. */
export function planPage({ dashboard }: Pick<AgentContext, "dashboard">, types: readonly string[]): string {
  const query = new URLSearchParams([...types.map((type) => ["type", type]), ["for", "agent"]]);
  return `${dashboard}/create/plan?${query}`;
}

/** The page of an operation. */
export function operationPage({ dashboard }: Pick<AgentContext, "dashboard">, id: string): string {
  return `${dashboard}/operations/${id}`;
}
