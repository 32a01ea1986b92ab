/** Extracts from templates what a plan needs. */
import type { TemplateManager } from "../template_manager.ts";
import type { Values } from "./changes.ts";
import type { TemplateFacts } from "./creation_input.ts";
import { PLANNED_KEYS } from "../vm_templates/specs.ts";

/** The template values of each VM type, computed once per type. */
export function factsOf(templatesOf: (type: string) => TemplateManager): (type: string) => TemplateFacts {
  const cache = new Map<string, TemplateFacts>();
  return (type) => {
    const facts = cache.get(type) ?? templateFacts(templatesOf(type));
    cache.set(type, facts);
    return facts;
  };
}

function templateFacts(templates: TemplateManager): TemplateFacts {
  const display = templates.createDisplayDevice(0, 5900, "");
  const disk = templates.createDiskDevice(0, "", 0);
  const nic = templates.createNicDevice(0, "br0");
  const cdrom = templates.createCdromDevice(0, "/");
  const orders = {
    DISPLAY: display.order ?? 1002,
    CDROM: cdrom.order ?? 1000,
    NIC: nic.order ?? 1002,
    DISK: disk.order ?? 1001,
  };
  const spec = templates.createVmSpec("name", 1, 1, 20);
  return {
    bind: String(display.attributes.bind ?? "0.0.0.0"),
    sockets: spec.vcpus ?? 1,
    orders,
    // TrueNAS defaults to AHCI.
    diskBus: disk.attributes.type === "VIRTIO" ? "VIRTIO" : "AHCI",
    displayType: String(display.attributes.type ?? "SPICE"),
    web: display.attributes.web !== false,
    autostart: spec.autostart !== false,
    secureBoot: spec.enable_secure_boot === true,
    stated: {
      description: textOrNull(spec.description),
      autostart: typeof spec.autostart === "boolean" ? spec.autostart : null,
      cpuMode: textOrNull(spec.cpu_mode),
      bind: textOrNull(display.attributes.bind),
      nicModel: textOrNull(nic.attributes.type),
      diskBus: textOrNull(disk.attributes.type),
      columns: stated(spec, [...PLANNED_KEYS.vm, ...COMPARED_COLUMNS]),
      attributes: {
        DISPLAY: stated(display.attributes, [...PLANNED_KEYS.DISPLAY, "dtype", "bind"]),
        NIC: stated(nic.attributes, [...PLANNED_KEYS.NIC, "dtype", "type"]),
        DISK: stated(disk.attributes, [...PLANNED_KEYS.DISK, "dtype", "type", "serial"]),
      },
      bootOrder: disk.order !== undefined && cdrom.order !== undefined,
    },
  };
}

/** Compared one by one. */
const COMPARED_COLUMNS: readonly string[] = ["vcpus", "description", "autostart", "cpu_mode"];

/** Where a template states null, TrueNAS chooses. */
function stated(values: Readonly<Record<string, unknown>>, without: readonly string[]): Values {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => {
      const isStated = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
      return isStated && !without.includes(key) ? [[key, value]] : [];
    }),
  );
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
