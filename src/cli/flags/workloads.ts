import { flag } from "../parser/define.ts";

/** The flag of commands that read the images of Kubernetes objects. */
export const workloadFlag = flag.texts(
  "custom resource whose images are verified too, and the JSON pointer of its Pod template or Pod specification, in which * is each item of a list (RESOURCE.GROUP=POINTER)",
  { typeName: "stringArray" },
);
