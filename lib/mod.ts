/**
 * Plans, creates and destroys groups of VMs on TrueNAS.
 *
 * @example Basic creation
 * ```ts
 * import { getEnvironmentVariables, loadConfiguration, setupLogging, VMManager } from "./mod.ts";
 *
 * const logger = setupLogging("INFO");
 * await using manager = new VMManager({ ...getEnvironmentVariables(), logger });
 * await manager.connect();
 * const result = await manager.createVmType(loadConfiguration("config.yaml"), "worker", 5920, {
 *   observer: (event) => event.type === "step" && console.log(event.vm, event.step, event.status),
 * });
 * console.log(result.status, result.vms);
 * ```
 *
 * @example Custom template directory
 * ```ts
 * import { getEnvironmentVariables, TemplateManager, VMManager } from "./mod.ts";
 *
 * const templateManager = new TemplateManager("./my-templates");
 * await using manager = new VMManager({ ...getEnvironmentVariables(), templateManager });
 * ```
 *
 * @example Error handling
 * ```ts
 * import { getEnvironmentVariables, TrueNASError, VMManager } from "./mod.ts";
 *
 * try {
 *   await using manager = new VMManager({ ...getEnvironmentVariables() });
 *   await manager.connect();
 *   await manager.destroyManagedVms(["worker"]);
 * } catch (error) {
 *   if (!(error instanceof TrueNASError)) throw error;
 *   console.error(error.message);
 *   if (error.outcome === "unknown") console.error("Check the VMs in TrueNAS before you try again.");
 * }
 * ```
 *
 * @example Configuration validation
 * ```ts
 * import { checkConfiguration } from "./mod.ts";
 *
 * const checked = checkConfiguration({ storage: { pool_path: "tank/vms" } });
 * if (!checked.ok) for (const { field, message } of checked.problems) console.error(field, message);
 * ```
 *
 * @module
 */
export type { Approval, ApprovalJournal } from "./agents/approval.ts";
export type { AuditEntry, AuditJournal, AuditRecord } from "./observability/audit_entry.ts";
export { AuditLog, MAX_AUDIT_ENTRIES } from "./observability/audit.ts";
export type {
  CheckedConfiguration,
  Configuration as ConfigurationByType,
  ParsedConfiguration,
} from "./configuration/configuration.ts";
export type { FlatConfiguration as Configuration } from "./configuration/flat_configuration.ts";
export {
  type CheckpointsKept,
  MAX_DESCRIPTION_CHARS,
  type StorageSection,
  type VmTypeSection,
} from "./configuration/sections.ts";
export { readConfigurationFile } from "./configuration/configuration_file.ts";
export type { PublicHost } from "./configuration/environment/public_host.ts";
export type { Place, Places } from "./configuration/configuration_text.ts";
export type { Images, ImageSource } from "./configuration/images_section.ts";
export type { ImagesSection } from "./configuration/flat_configuration.ts";
export type { ImageOrigin, WantedImage } from "./images/acquiring/acquirer.ts";
export type { ImagePlace } from "./images/acquiring/file_dataset.ts";
export type { LocalDisk } from "./images/acquiring/local_disk.ts";
export type { ImageFile } from "./images/acquiring/image_files.ts";
export type { Images as ImageFiles, NewImage, UploadedImage } from "./images/acquiring/images.ts";
export type {
  SeedContents,
  SeedEnd,
  SeedServer,
  SeedToServe,
  ServedSeed,
} from "./first_boot/serving/served_seed.ts";
export type {
  AddressSection,
  GuestSign,
  PlannedAddress,
  PlannedReady,
  PlannedSeed,
  Readiness,
  ReadyOtherwise,
  ReadySection,
  ReadyWhen,
  SeedKey,
  SeedKind,
  SeedSection,
  SeedWay,
} from "./first_boot/types.ts";
export type { SeedFiles } from "./first_boot/rendering/seed.ts";
export type { PortAnswer, ProbedPort, ProbePort } from "./first_boot/readiness/probe_port.ts";
export type { GivenAddresses } from "./exports/nodes.ts";
export type { NodeReadiness, NodeReadinessOptions } from "./operations/nodes/node_readiness.ts";
export type { KnownPath, PathHandler, PathServer, SecretPath } from "./secret_paths/path_server.ts";
export type { OfferedFile, Offering } from "./images/offering/offering.ts";
export type { ImageWay, ImageWays, WayChoice } from "./images/acquiring/ways.ts";
export type { PlannedImage, PlannedSource } from "./images/planned_image.ts";
export type {
  DeclaredImage,
  ImageDataset,
  ImageFileFacts,
  ImageList,
  ImageState,
  ImageUser,
  ImageVersion,
  ListedFile,
  ListedImage,
} from "./images/listing/image_list.ts";
export type { Lineage, VmLineage } from "./images/listing/lineage.ts";
export type { FileFormat } from "./images/listing/file_names.ts";
export type {
  ImageRemovalPlan,
  ImageRemovalRequest,
  Promotion,
  RemovedPart,
} from "./images/removing/plan.ts";
export type { OpenUrl } from "./images/acquiring/remote_download.ts";
export type { ImageFormat, ImageStream } from "./images/source/image_stream.ts";
export type { ImageLimits } from "./images/source/limits.ts";
export type { ImageUrl } from "./images/source/open_url.ts";
export {
  checkFlatConfiguration as checkConfiguration,
  type CheckOptions,
  loadConfiguration,
  parseConfiguration,
  vmTypes,
} from "./configuration/load_configuration.ts";
export * from "./errors/errors.ts";
export type { CallRefusal, FieldRefusal } from "./errors/nas_errors.ts";
export type * from "./inventory/inventory.ts";
export { type EnvFileOptions, readEnvFile } from "./configuration/environment/env_file.ts";
export {
  type EnvFile,
  type Environment,
  ENVIRONMENT_NAMES,
  type EnvironmentName,
  type EnvironmentVariables,
  getEnvironmentVariables,
  type ReadOptions,
  type SecretFile,
  type SecretName,
} from "./configuration/environment/environment.ts";
export type { Checkpoints, CheckpointWish } from "./checkpoints/checkpoints.ts";
export type {
  Checkpoint,
  CheckpointSnapshot,
  CheckpointVm,
  RecordedSettings,
} from "./checkpoints/checkpoint.ts";
export type { Keeping, PlanProblem } from "./checkpoints/plan/facts.ts";
export type * from "./checkpoints/plan/plans.ts";
export type { RollbackRequest } from "./checkpoints/plan/rolling_back.ts";
export type * from "./checkpoints/requests.ts";
export type { VmSelection } from "./checkpoints/selection.ts";
export type { Consoles, DisplayPassword } from "./consoles/consoles.ts";
export type { DisplaySocket } from "./consoles/display_socket.ts";
export type { DisplayTarget, FoundTarget } from "./consoles/display_target.ts";
export type { NasInventory } from "./inventory/nas_inventory.ts";
export type { HostLoad } from "./inventory/host_load.ts";
export type { InventoryChange, InventorySnapshot, LiveInventory } from "./inventory/live_inventory.ts";
export {
  type LogFields,
  type Logger,
  type LoggingOptions,
  type LogLevel,
  setupLogging,
} from "./observability/logging.ts";
export type { Exported, ExportFile, LeftOut } from "./exports/exported.ts";
export { EXPORT_FORMATS, type ExportFormat, type ExportOptions } from "./exports/formats.ts";
export {
  type ClusterNode,
  type InstallDisk,
  type NodeNic,
  nodeOfPlanned,
  nodeOfVm,
} from "./exports/nodes.ts";
export {
  EXPORT_NAMES,
  type ExportName,
  isExportName,
  TALOS_VERSIONS,
  type TalosVersion,
} from "./exports/names.ts";
export type { Ipv4 } from "./configuration/environment/ip_addresses.ts";
export type { HostName, InterfaceName, Mac } from "./exports/values.ts";
export type { RunResult, VmResult } from "./operations/summary.ts";
export { type Gauge, type Labels, type MetricName, METRICS, Metrics } from "./observability/metrics.ts";
export { Journal, type JournalledOperation, type OperationJournal } from "./operations/record/journal.ts";
export type { OperationLog } from "./operations/record/log.ts";
export type { Operations, StartedOrReplanned } from "./operations/operations.ts";
export type { DrainTimes } from "./operations/drain.ts";
export type { Overlap } from "./operations/turns/claims.ts";
export type { RunningChange, VmChanges } from "./operations/vm_changes.ts";
export type { Concurrency } from "./operations/limits/call_limiter.ts";
export type { ActionRequest } from "./operations/steps/act_on_vm.ts";
export {
  type ActionFacts,
  isVmAction,
  reasonAgainst,
  VM_ACTION_NAMES,
  VM_ACTIONS,
  type VmAction,
  type VmActionName,
} from "./inventory/vm_actions.ts";
export type { ChangedVm, VmChange, VmChangeKind } from "./operations/steps/change_vm.ts";
export type { Observer, RunningOperation, RunOptions } from "./operations/runner.ts";
export type { Destruction } from "./operations/specs.ts";
export type { CancelMode } from "./operations/steps/create_vm.ts";
export type { SettleTimeouts } from "./operations/steps/run_step.ts";
export type { Busy, OperationStore } from "./operations/record/store.ts";
export type * from "./operations/types.ts";
export * from "./configuration/on_failure.ts";
export type {
  CreationRequest as CreationRequestByType,
  PlannedMacs,
  WantedType,
} from "./plan/creation_input.ts";
export type { DestructionRequest, JournalEvidence, Unmarked } from "./plan/destruction.ts";
export type { ZvolMark } from "./inventory/marks.ts";
export type { OrphanPlan, OrphanVm, OrphanZvol } from "./plan/orphans.ts";
export type { RollBackPlan, RollBackVm } from "./plan/roll_back.ts";
export type * from "./plan/changes.ts";
export type * from "./plan/types.ts";
export { TemplateManager, type TemplateOptions } from "./template_manager.ts";
export type { TemplateOverrides } from "./vm_templates/overrides.ts";
export type { TemplateName } from "./vm_templates/template_files.ts";
export type { DeviceSpec, VmSpec } from "./vm_templates/specs.ts";
export type { CheckedRole, NeededRole } from "./truenas/roles.ts";
export type { SerialConsole, ShellSocket } from "./truenas/connection/shell.ts";
export type { Capacity } from "./inventory/inventory.ts";
export type { Choices } from "./truenas/read_choices.ts";
export type { NasConnection, SessionState } from "./truenas/connection/nas_connection.ts";
export type { DeviceType, VersionRules } from "./truenas/versions.ts";
export { type FlatCreationRequest as CreationRequest, VMManager } from "./vm_manager.ts";
export type { VMManagerOptions } from "./vm_manager_options.ts";
