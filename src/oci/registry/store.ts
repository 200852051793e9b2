import type { Io } from "../../io/io.ts";
import type { Repository } from "../ref.ts";
import type { Descriptor, ImageStore } from "../types.ts";
import { readBlobStream, requireWithin, storeBlob } from "./blobs.ts";
import { deleteManifest, getManifest, putManifest, resolveManifest } from "./manifests.ts";
import { listReferrers, listUnlisted, putReferrer, referrersByApi } from "./referrer-store.ts";
import type { RegistrySession } from "./session.ts";
import { listTags } from "./tags-list.ts";

interface Connection {
  readonly io: Io;
  readonly session: RegistrySession;
  readonly repository: Repository;
}

/** Opens a repository in a registry, with the OCI distribution protocol. */
export function registryStore(connection: Connection): ImageStore {
  const { session, repository } = connection;
  const store: ImageStore = {
    name: repository.name,
    repository,
    resolve: (identifier) => resolveManifest(connection, identifier),
    manifest: (identifier) => getManifest(connection, identifier),
    async blob(descriptor, { maxBytes }) {
      requireWithin(maxBytes, descriptor, `blob ${repository.name}@${descriptor.digest}`);
      return readBlob(connection, descriptor);
    },
    blobStream: (descriptor) => readBlobStream(session, repository, descriptor),
    referrers: (subject) => listReferrers({ ...connection, store }, subject),
    referrersByApi: (subject) => referrersByApi({ ...connection, store }, subject),
    tags: () => listTags(connection),
    putBlob: (content) => storeBlob(session, repository, content),
    async putManifest(bytes, options) {
      return (await putManifest(connection, bytes, options)).descriptor;
    },
    putReferrer: (bytes, options) => putReferrer({ ...connection, store }, bytes, options),
    listReferrers: (unlisted) => listUnlisted({ ...connection, store }, unlisted),
    delete: (identifier) => deleteManifest(connection, identifier),
  };
  return store;
}

async function readBlob({ session, repository }: Connection, descriptor: Descriptor): Promise<Uint8Array> {
  const bytes = Buffer.alloc(descriptor.size); // the stream is never longer
  let size = 0;
  for await (const piece of readBlobStream(session, repository, descriptor)) {
    bytes.set(piece, size);
    size += piece.length;
  }
  return bytes;
}
