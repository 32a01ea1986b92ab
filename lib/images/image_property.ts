/** The property of a zvol that an image was converted onto, whole. */

/** Its value is the image's path. */
export const IMAGE_PROPERTY = "truenas-vm-manager:image";
