import type { FileHandle } from 'node:fs/promises';

/** Writes all of `bytes` at `position`; a single write may take less. */
export async function writeFully(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const result = await file.write(bytes, written, bytes.length - written, position + written);
    written += result.bytesWritten;
  }
}
