"""sigstore-python on a command line: a file with a JSON list of jobs is the argument, a JSON list of answers goes to stdout.

A job signs or verifies. Verifying answers `accepted`, `refused: ` and the library's reason, or `unread: ` and why its model
of statements takes none of a statement whose signature it has accepted; any other failure ends the program. The steps after
the signature are those of `sigstore verify`.
"""

import hashlib
import json
import pathlib
import sys

from sigstore_models.common.v1 import HashAlgorithm

from sigstore import dsse
from sigstore.errors import Error
from sigstore.hashes import Hashed
from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

TRUST_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
IN_TOTO = "application/vnd.in-toto+json"


def digest_of(artifact):
    """The SHA-256 of a file, or the one that `sha256:<hex>` names."""
    name, _, digest = artifact.partition("sha256:")
    if name == "" and digest != "":
        return bytes.fromhex(digest)
    return hashlib.sha256(pathlib.Path(artifact).read_bytes()).digest()


def verify(job):
    hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest_of(job["artifact"]))
    try:
        verifier = Verifier(trusted_root=TrustedRoot.from_file(job["trustedRoot"]))
        bundle = Bundle.from_json(pathlib.Path(job["bundle"]).read_bytes())
        policy = Identity(identity=job["identity"], issuer=job["issuer"])
        if bundle._dsse_envelope is None:
            verifier.verify_artifact(hashed, bundle, policy)
            return "accepted"
        kind, payload = verifier.verify_dsse(bundle, policy)
    except Error as error:
        return f"refused: {error}"
    if kind != IN_TOTO:
        return f"refused: payload of type {kind}"
    try:
        statement = dsse.Statement(payload)
    except Error as error:
        return f"unread: {error}"
    return "accepted" if statement._matches_digest(hashed) else "refused: no such subject"


def sign(job):
    signing_config = json.loads(pathlib.Path(job["signingConfig"]).read_bytes())
    # cosign writes an empty one where there is no timestamp authority, and the model takes none without a selector.
    if signing_config["tsaConfig"] == {}:
        del signing_config["tsaConfig"]
    config = {
        "mediaType": TRUST_CONFIG,
        "trustedRoot": json.loads(pathlib.Path(job["trustedRoot"]).read_bytes()),
        "signingConfig": signing_config,
    }
    context = SigningContext.from_trust_config(ClientTrustConfig.from_json(json.dumps(config)))
    digest = digest_of(job["artifact"])
    with context.signer(IdentityToken(job["token"])) as signer:
        if "predicateType" in job:
            subject = dsse.Subject(name="artifact", digest={"sha256": digest.hex()})
            statement = dsse.StatementBuilder([subject], job["predicateType"], job["predicate"]).build()
            bundle = signer.sign_dsse(statement)
        else:
            bundle = signer.sign_artifact(Hashed(algorithm=HashAlgorithm.SHA2_256, digest=digest))
    pathlib.Path(job["bundle"]).write_text(bundle.to_json())
    return "signed"


jobs = json.loads(pathlib.Path(sys.argv[1]).read_bytes())
print(json.dumps([sign(job) if "token" in job else verify(job) for job in jobs]))
