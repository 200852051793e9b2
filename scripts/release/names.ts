/** The names under which tsign is published. Each stands only here. */
export const PROGRAM = "tsign";
/** The npm package with the launcher and the library. */
export const NPM_NAME = "tsign";
/** The npm scope of the packages with the executable for one platform. */
const NPM_SCOPE = "@tsign";
export const DESCRIPTION = "Sign and verify container images and files";
/** Where the files of a release are downloaded from, and where its pages are. VERSION stands for the version. */
export const DEFAULT_BASE_URL = "https://github.com/tsign/tsign/releases/download/vVERSION";
export const HOMEPAGE = "https://github.com/tsign/tsign";
export const DEFAULT_MAINTAINER = "tsign maintainers <maintainers@tsign.invalid>";

/** The npm package for a platform such as `linux-x64`. */
export function npmPlatformName(platform: string): string {
  return `${NPM_SCOPE}/${platform}`;
}
