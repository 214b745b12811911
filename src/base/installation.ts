import { dirname, join } from 'node:path'

/** Where the files that tools/build-binary.ts packs into the single binary are found by it. */
const PACKED = '/$bunfs/root/packed'

/** Postern runs as the single binary that tools/build-binary.ts makes, not from a checkout. */
export const isSingleBinary = import.meta.dirname.startsWith('/$bunfs/')

/**
 * A file or folder of ours that is read at run time. The single binary has it packed, under the same path.
 * @param path from the root of the checkout, such as `src/store/migrations`
 */
export function packedFile(path: string): string {
  return join(isSingleBinary ? PACKED : join(import.meta.dirname, '..', '..'), path)
}

/** What cannot be packed, because the operating system runs it, lies beside the single binary. */
export function besideBinary(path: string): string {
  return join(dirname(process.execPath), path)
}

/** Program and arguments that start another process of this Postern. */
export function ownCommand(command: string): { readonly program: string; readonly args: readonly string[] } {
  if (isSingleBinary) return { program: process.execPath, args: [command] }
  // The same switches as bin/postern: nothing in the working folder may change what runs.
  const switches = ['--config=/dev/null', '--no-env-file', '--no-install']
  return { program: process.execPath, args: [...switches, packedFile('src/main.ts'), command] }
}
