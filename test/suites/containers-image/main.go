// Command containers-image is podman's, CRI-O's and skopeo's library on a command line: it judges an image by a policy,
// copies an image under one, and signs a copy.
//
//	containers-image judge POLICY IMAGE
//	containers-image copy POLICY SOURCE TARGET
//	containers-image sign KEY SOURCE TARGET                     the key's password: COSIGN_PASSWORD
//	containers-image sign-keyless FULCIO REKOR TOKEN SOURCE TARGET
//	containers-image generate PREFIX
//
// judge prints `accepted`, or `refused: ` and the library's reason; whatever else goes wrong is on stderr, with exit code 1.
// Registries are spoken to over HTTP, and attachments are looked for in each: CONTAINERS_REGISTRIES_D.
package main

import (
	"context"
	"fmt"
	"net/url"
	"os"

	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/signature/signer"
	"go.podman.io/image/v5/signature/sigstore"
	"go.podman.io/image/v5/signature/sigstore/fulcio"
	"go.podman.io/image/v5/signature/sigstore/rekor"
	"go.podman.io/image/v5/types"
)

func main() {
	arguments := os.Args[1:]
	if err := run(context.Background(), arguments); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	is := func(verb string, count int) bool { return len(arguments) == count+1 && arguments[0] == verb }
	switch {
	case is("judge", 2):
		return judge(ctx, arguments[1], arguments[2])
	case is("copy", 3):
		return copyUnder(ctx, arguments[1], arguments[2], arguments[3])
	case is("sign", 3):
		key := sigstore.WithPrivateKeyFile(arguments[1], []byte(os.Getenv("COSIGN_PASSWORD")))
		return sign(ctx, arguments[2], arguments[3], key)
	case is("sign-keyless", 5):
		authority, err := url.Parse(arguments[1])
		if err != nil {
			return err
		}
		log, err := url.Parse(arguments[2])
		if err != nil {
			return err
		}
		identity := fulcio.WithFulcioAndPreexistingOIDCIDToken(authority, arguments[3])
		return sign(ctx, arguments[4], arguments[5], identity, rekor.WithRekor(log))
	case is("generate", 1):
		return generate(arguments[1])
	}
	return fmt.Errorf("unknown command: %q", arguments)
}

func system() *types.SystemContext {
	return &types.SystemContext{
		RegistriesDirPath:           os.Getenv("CONTAINERS_REGISTRIES_D"),
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
	}
}

func readPolicy(path string) (*signature.PolicyContext, error) {
	policy, err := signature.NewPolicyFromFile(path)
	if err != nil {
		return nil, err
	}
	return signature.NewPolicyContext(policy)
}

// judge asks the question that podman and CRI-O ask before they run an image.
func judge(ctx context.Context, policyPath, name string) error {
	policy, err := readPolicy(policyPath)
	if err != nil {
		return err
	}
	defer policy.Destroy()
	reference, err := docker.ParseReference("//" + name)
	if err != nil {
		return err
	}
	source, err := reference.NewImageSource(ctx, system())
	if err != nil {
		return err
	}
	defer source.Close()
	allowed, err := policy.IsRunningImageAllowed(ctx, image.UnparsedInstance(source, nil))
	switch {
	case allowed:
		fmt.Println("accepted")
	case err != nil:
		fmt.Println("refused:", err)
	default:
		return fmt.Errorf("refused without a reason")
	}
	return nil
}

// copyUnder copies an image and the signatures attached to it, if the policy lets it in: `skopeo copy`.
func copyUnder(ctx context.Context, policyPath, from, to string) error {
	policy, err := readPolicy(policyPath)
	if err != nil {
		return err
	}
	return copyImage(ctx, policy, from, to, nil)
}

// sign copies an image and adds a signature: `skopeo copy --sign-by-sigstore-private-key`, `podman push`.
func sign(ctx context.Context, from, to string, options ...sigstore.Option) error {
	signing, err := sigstore.NewSigner(options...)
	if err != nil {
		return err
	}
	defer signing.Close()
	anything := &signature.Policy{Default: signature.PolicyRequirements{signature.NewPRInsecureAcceptAnything()}}
	policy, err := signature.NewPolicyContext(anything)
	if err != nil {
		return err
	}
	return copyImage(ctx, policy, from, to, []*signer.Signer{signing})
}

func copyImage(ctx context.Context, policy *signature.PolicyContext, from, to string, signers []*signer.Signer) error {
	defer policy.Destroy()
	source, err := docker.ParseReference("//" + from)
	if err != nil {
		return err
	}
	target, err := docker.ParseReference("//" + to)
	if err != nil {
		return err
	}
	_, err = copy.Image(ctx, policy, target, source, &copy.Options{
		Signers:            signers,
		SourceCtx:          system(),
		DestinationCtx:     system(),
		PreserveDigests:    true,
		ImageListSelection: copy.CopyAllImages,
	})
	return err
}

func generate(prefix string) error {
	pair, err := sigstore.GenerateKeyPair([]byte(os.Getenv("COSIGN_PASSWORD")))
	if err != nil {
		return err
	}
	if err := os.WriteFile(prefix+".pub", pair.PublicKey, 0o644); err != nil {
		return err
	}
	return os.WriteFile(prefix+".key", pair.PrivateKey, 0o600)
}
