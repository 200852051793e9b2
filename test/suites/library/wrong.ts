// Every line below has to be an error of the compiler's.
import { createRegistry, createVerifier, loadKey, signImage, verifyImage } from "tsign";

const verifier = await createVerifier({ trustedRoot: 5 });
const registry = createRegistry({ transport: "network" });
await verifier.verify("{}", { key: "" });
await verifier.verify("{}", { artifact: "text", key: "" });
await verifier.verify("{}", { artifact: { sha1: "" }, key: "" });
await verifyImage("image", { verifier });
await verifyImage("image", { verifier, registry, identity: { subject: "alice" } });
await signImage("image", { registry });
(await loadKey("key")).publicKey = "";
(await verifyImage("image", { verifier, registry, key: "" })).verified = [];
