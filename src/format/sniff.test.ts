import assert from "node:assert/strict";
import { test } from "node:test";
import { sniffMediaType } from "./sniff.ts";

const CASES: readonly [content: string, mediaType: string][] = [
  ["", "text/plain"],
  ["plain text\n", "text/plain"],
  ['{"json":true}', "text/plain"],
  ["bell\x07", "application/octet-stream"],
  ["escape\x1b[0m", "text/plain"],
  ["\x7fELF\x02\x01\x01\x00", "application/octet-stream"],
  ["  \n<!DOCTYPE HTML><p>", "text/html"],
  ["<html lang=en>", "text/html"],
  ["<htmlx>", "text/plain"],
  ["<!-- note -->", "text/html"],
  ["<?xml version='1.0'?>", "text/xml"],
  ["%PDF-1.7", "application/pdf"],
  ["\xef\xbb\xbftext\x00", "text/plain"],
  ["\x89PNG\r\n\x1a\n", "image/png"],
  ["GIF89a", "image/gif"],
  ["RIFF\x01\x02\x03\x04WEBPVP", "image/webp"],
  ["RIFF\x01\x02\x03\x04WAVE", "audio/wave"],
  ["\x1f\x8b\x08\x00", "application/x-gzip"],
  ["PK\x03\x04", "application/zip"],
  ["\0asm\x01\0\0\0", "application/wasm"],
  ["\0asn", "application/octet-stream"],
];

test("sniffMediaType detects content by its first bytes", () => {
  for (const [content, mediaType] of CASES) {
    assert.equal(sniffMediaType(Buffer.from(content, "latin1")), mediaType, JSON.stringify(content));
  }
});

test("sniffMediaType examines the first 512 bytes only", () => {
  assert.equal(sniffMediaType(Buffer.from(`${"a".repeat(512)}\0`)), "text/plain");
  assert.equal(sniffMediaType(Buffer.from(`${"a".repeat(511)}\0`)), "application/octet-stream");
});
