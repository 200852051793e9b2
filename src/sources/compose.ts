import { TsignError } from "../errors.ts";
import type { DocumentLines, SourceDocument } from "./documents.ts";
import { imageText, type NamedImage, referenceEdit, type SourceImages } from "./named-image.ts";
import { field, itemsOf, pairsOf, unknownKey } from "./yaml-fields.ts";
import type { YamlMapping, YamlNode } from "./yaml-parts.ts";

/** The elements of a compose file, besides extensions. */
const ELEMENTS = ["version", "name", "include", "services", "networks", "volumes", "configs", "secrets", "models"];
/** Attributes of a service whose items may name an image to run (Compose specification, lifecycle hooks). */
const HOOKS = ["pre_start", "post_start", "pre_stop"];

/**
 * Finds the images of a compose file (Compose specification): `services.*.image`, volumes of type `image`, and models. A service
 * that is only built has none, and a notice names it.
 *
 * @throws TsignError "input" (with the line) for `extends` and `include`, which name services of other files, for variables, and
 *   for a service that has neither an image nor a build
 */
export function composeImages({ root, lines }: SourceDocument): SourceImages {
  const finder = new Finder(lines);
  if (root.kind === "mapping") finder.file(root);
  const { images, notices, absence } = finder;
  return { images, notices, absence };
}

class Finder {
  readonly images: NamedImage[] = [];
  readonly notices: string[] = [];
  /** Services that have no image, and what they have in its place. */
  readonly #without: string[] = [];
  readonly #lines: DocumentLines;

  constructor(lines: DocumentLines) {
    this.#lines = lines;
  }

  get absence(): SourceImages["absence"] {
    if (this.#without.length === 0) return undefined;
    const hint = "verify the base images of a service that is built: `tsign dockerfile verify DOCKERFILE`";
    return { reason: `services without an image: ${this.#without.join(", ")}`, hint };
  }

  file(root: YamlMapping): void {
    const unknown = unknownKey(root, (key) => key.startsWith("x-") || ELEMENTS.includes(key));
    if (unknown) this.#refuse(unknown[1], `a compose file has no element ${unknown[0]}`);
    this.#refuseField(root, "include");
    const services = field(root, "services");
    if (services?.kind === "mapping") for (const [name, node] of pairsOf(services)) this.#service(name, node);
    else if (services) this.#refuse(services, "services is not a mapping");
    const models = field(root, "models");
    if (models?.kind !== "mapping") return;
    for (const [name, model] of pairsOf(models)) {
      if (model.kind === "mapping") this.#add(field(model, "model"), `models.${name}.model`);
    }
  }

  #service(name: string, node: YamlNode): void {
    if (node.kind !== "mapping") this.#refuse(node, `service ${name} is not a mapping`);
    this.#refuseField(node, "extends");
    if (!this.#add(field(node, "image"), `services.${name}.image`)) {
      const built = ["build", "provider"].find((key) => !isNull(field(node, key)));
      if (built === undefined) this.#refuse(node, `service ${name} has neither an image nor a build`);
      this.#without.push(`${name} (${built === "build" ? "built" : "run by a provider"})`);
      this.notices.push(
        built === "build"
          ? `WARNING: service ${name} is built here; the images of its Dockerfile are not verified`
          : `WARNING: service ${name} is run by a provider, and is not verified`,
      );
    }
    for (const volume of itemsOf(field(node, "volumes"))) {
      const type = field(volume, "type");
      if (type?.kind === "scalar" && type.value === "image")
        this.#add(field(volume, "source"), `services.${name}.volumes`);
    }
    for (const key of HOOKS) {
      for (const hook of itemsOf(field(node, key))) this.#add(field(hook, "image"), `services.${name}.${key}`);
    }
  }

  /** Adds an image. @returns whether there is one */
  #add(node: YamlNode | undefined, name: string): boolean {
    if (node === undefined) return false;
    if (node.kind !== "scalar") this.#refuse(node, `${name} is not a string`);
    const image = imageText(node, this.#lines.where(node.at), name);
    if (image === undefined) return false;
    const place = this.#lines.place(node);
    this.images.push({ image, line: place.line, field: name, edit: referenceEdit(image, place) });
    return true;
  }

  #refuseField(node: YamlMapping, key: string): void {
    const value = field(node, key);
    if (value === undefined) return;
    throw new TsignError("input", `${this.#lines.where(value.at)}: ${key} names services of other files`, {
      hint: "verify the output of `docker compose config`",
    });
  }

  #refuse(node: YamlNode, reason: string): never {
    throw new TsignError("input", `${this.#lines.where(node.at)}: ${reason}`);
  }
}

function isNull(node: YamlNode | undefined): boolean {
  return node === undefined || (node.kind === "scalar" && node.plain && /^(?:|~|null|Null|NULL)$/.test(node.value));
}
