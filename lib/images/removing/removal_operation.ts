/** The operation that removes an image. */
import { formatBytes } from "../../units.ts";
import type { OperationSpec } from "../../operations/runner.ts";
import type { ImageRemovalPlan, RemovedPart } from "./plan.ts";
import { partRemovalSteps, removeImagePart } from "./remove_part.ts";

/** Removes the parts of an image, each by itself. */
export function imageRemoval({ image, parts }: ImageRemovalPlan): OperationSpec<RemovedPart> {
  return {
    kind: "remove-image",
    title: `Remove the image ${image}`,
    vms: parts.map((part) => ({
      name: part.name,
      steps: partRemovalSteps(part),
      summary: summaryOf(part),
    })),
    items: parts,
    // A clone that is promoted changes, too.
    claim: {
      images: [image],
      zvols: parts.flatMap(({ name, dependants }) => [name, ...dependants.map(({ zvol }) => zvol)]),
    },
    work: (context) => ({ workOn: (part) => removeImagePart(context, part) }),
  };
}

function summaryOf({ type, sizeBytes }: RemovedPart): string {
  const size = sizeBytes === null ? "" : `, ${formatBytes(sizeBytes)}`;
  return `${type === "VOLUME" ? "the prepared disk" : "the image's file"}${size}`;
}
