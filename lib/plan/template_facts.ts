/** Extracts from templates what a plan needs. */
import type { TemplateManager } from "../template_manager.ts";
import type { TemplateFacts } from "./creation_input.ts";

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
  const orders = {
    DISPLAY: display.order ?? 1002,
    CDROM: templates.createCdromDevice(0, "/").order ?? 1000,
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
    },
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
