/** What a VM type's first disk is made from, and what its CD-ROM has. Nothing about images is shown where there are none. */
import { NO_CDROM } from "../../../lib/configuration/sections.ts";
import { Choice, Tick } from "../common.tsx";
import type { CreateChoices } from "../vm/vm_forms.tsx";
import type { TypeFieldsProps } from "./fields.tsx";
import type { CreateFormType } from "./form.ts";

/** What the fields are given. */
export interface ImageFieldsProps extends TypeFieldsProps {
  readonly choices: Pick<CreateChoices, "images" | "isos">;
}

/** Whether there is an image to choose. */
function hasImages({ image }: CreateFormType, { images }: ImageFieldsProps["choices"]): boolean {
  return image !== null && (images.length > 0 || image !== "");
}

/** The image. */
export function ImageChoice({ type, problems, place: { prefix }, choices }: ImageFieldsProps) {
  if (!hasImages(type, choices)) return null;
  const image = type.image ?? "";
  const isMissing = image !== "" && !choices.images.includes(image);
  return (
    <Choice
      name={`${prefix}image`}
      label="Image"
      value={image}
      choices={{
        "": "None: the first disk is empty",
        ...Object.fromEntries(choices.images.map((name) => [name, name])),
        ...(isMissing ? { [image]: `${image} (not in the configuration)` } : {}),
      }}
      problems={problems}
    />
  );
}

/** The install image of the type, where it differs from that of all types. */
export function CdromChoice({ type, problems, place: { prefix }, choices }: ImageFieldsProps) {
  const { cdrom } = type;
  if (cdrom === null) return null;
  const isos = choices.isos ?? [];
  const isOther = cdrom !== "" && cdrom !== NO_CDROM && !isos.includes(cdrom);
  return (
    <Choice
      name={`${prefix}cdrom`}
      label="Install image"
      value={cdrom}
      choices={{
        "": "As for all types; none with an image",
        [NO_CDROM]: "None",
        ...Object.fromEntries([...isos, ...(isOther ? [cdrom] : [])].map((path) => [path, path])),
      }}
      problems={problems}
    />
  );
}

/** Whether disks are clones. */
export function CloneTick({ type, place: { prefix }, choices }: Omit<ImageFieldsProps, "problems">) {
  if (type.clone === null || !hasImages(type, choices)) return null;
  return <Tick name={`${prefix}clone`} label="Clone the image instead of copying it" ticked={type.clone} />;
}
