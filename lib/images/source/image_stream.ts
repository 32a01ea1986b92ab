/** An image on its way: what is known before its first byte, its bytes, and what they add up to. */

/** The format of an image by its content, which is also the ending that TrueNAS wants of its file's name. */
export type ImageFormat = "qcow2" | "raw" | "vmdk" | "vdi" | "vhdx" | "iso";

/** See the file's comment. */
export interface ImageStream {
  /** A plain name for the file on the NAS, with the format as its ending: `debian-12-genericcloud-amd64.qcow2`. */
  readonly fileName: string;
  /** By its content. */
  readonly format: ImageFormat;
  /** Size of the disk in bytes; null for a raw image whose length is not known before its end. */
  readonly virtualBytes: number | null;
  /** Bytes that arrive, before they are unpacked; null when the server does not say. */
  readonly lengthBytes: number | null;
  /**
   * Length of the body in bytes, after unpacking; null when it is not known before its end.
   */
  readonly bodyBytes: number | null;
  /**
   * The unpacked image. Its last bytes come only when everything has arrived and has the expected digest; otherwise it ends
   * with an {@link ImageError}. Cancelling it ends the download.
   */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Bytes that have arrived so far, before unpacking: the progress towards `lengthBytes`. */
  received(): number;
  /** SHA-256 of the bytes as they arrived, in lower-case hexadecimal digits; known at the end of the body. */
  readonly digest: Promise<string>;
}
