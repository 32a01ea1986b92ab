/** Rules about displays: their type, password, address and ports. */
import type { Finding } from "../types.ts";
import { allDevices, type Context, error, firstOfEachType, notChecked, type Rule, vmsWith } from "./rule.ts";

/** The rules. */
export const DISPLAY_RULES: readonly Rule[] = [checkBinds, checkDisplays, checkPorts];

/** TrueNAS limits VNC passwords to 8 characters and offers no web client for VNC. */
const VNC_PASSWORD_CHARS = 8;

function checkDisplays({ active, input }: Context): Finding[] {
  return vmsWith(firstOfEachType(active), "DISPLAY").flatMap(({ type }) => {
    const problem = describeProblem(type, input);
    return problem === null ? [] : [error(active.filter((vm) => vm.type === type), "display", problem)];
  });
}

function describeProblem(type: string, { rules, passwordChars, templates }: Context["input"]): string | null {
  const { displayType, web } = templates(type);
  if (!rules.displayTypes.includes(displayType)) {
    const supported = rules.displayTypes.join(" or ");
    return `TrueNAS ${rules.id} does not support ${displayType} displays; choose ${supported}`;
  }
  if (passwordChars === 0) return "TrueNAS requires a display password; set VNC_PASSWORD";
  if (displayType !== "VNC") return null;
  if (web) return "TrueNAS has no web client for VNC; set web to false in the display's template";
  if (passwordChars === null || passwordChars <= VNC_PASSWORD_CHARS) return null;
  return `A VNC password can have at most ${VNC_PASSWORD_CHARS} characters and VNC_PASSWORD has ${passwordChars}; shorten it`;
}

function checkBinds({ active, inventory: { bindChoices } }: Context): Finding[] {
  const displays = allDevices(active, "DISPLAY");
  if (displays.length === 0) return [];
  if (!bindChoices.known) return [notChecked("display", "The displays' bind address", bindChoices.because)];
  const addresses = bindChoices.value.join(", ");
  return displays.filter(({ device }) => !bindChoices.value.includes(device.bind)).map(({ vm, device }) =>
    error([vm], "display", `${device.bind} is not an address of the NAS; choose from ${addresses}`)
  );
}

function checkPorts({ active }: Context): Finding[] {
  return allDevices(active, "DISPLAY").filter(({ device }) => device.port === 0).map(({ vm }) =>
    error([vm], "display", "No display port is free up to 65535; choose a lower first port")
  );
}
