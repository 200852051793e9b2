import { gzipSync } from "node:zlib";
import { digestOf } from "../../format/digest.ts";
import type { Descriptor, ImageStore } from "../../oci/types.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";
const BLOCK = 512;

/** Pushes an image with one layer, which contains one file. */
export async function pushImage(
  store: ImageStore,
  image: { file: string; content: Uint8Array; tag: string },
): Promise<Descriptor> {
  const tar = tarOf(image.file, image.content);
  const layer = await store.putBlob(gzipSync(tar));
  const rootfs = { type: "layers", diff_ids: [digestOf(tar)] };
  const config = await store.putBlob(Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs })));
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: CONFIG, digest: config.digest, size: config.size },
    layers: [{ mediaType: LAYER, digest: layer.digest, size: layer.size }],
  };
  return store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType: MANIFEST, tag: image.tag });
}

/** Returns a tar archive with one regular file, owned by root, with modification time 0 (POSIX ustar). */
function tarOf(name: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name.slice(0, 99), 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write(" ".repeat(8), 148);
  header.write("0ustar\x0000", 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
  return Buffer.concat([header, content, padding, Buffer.alloc(2 * BLOCK)]);
}
