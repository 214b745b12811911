import { readFile } from 'node:fs/promises'
import { Secret } from '../base/secret.ts'
import { CliError } from './cli-error.ts'
import { promptSecret } from './prompt.ts'
import type { Terminal } from './terminal.ts'

const maximumBytes = 64 * 1024

/**
 * A secret from a file, from standard input (`-`), or asked for. Never from an argument: arguments are visible to every user
 * of the machine and stay in the shell's history. One line break at the end is not part of the secret.
 */
export async function readSecret(
  terminal: Terminal,
  file: string | undefined,
  question: string,
  option: string,
): Promise<Secret> {
  if (file === undefined)
    return promptSecret(terminal, question, `Give it with ${option} FILE, or - for standard input.`)
  return readSecretFile(file === '-' ? terminal.stdin : file, option)
}

/** A secret from a file or stream. */
export async function readSecretFile(source: string | NodeJS.ReadableStream, option: string): Promise<Secret> {
  const text = typeof source === 'string' ? await readTextFile(source, option) : await readAll(source)
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw new CliError('caller', `${option} is empty`, { hint: 'Put the secret in it, on one line.' })
  return new Secret(value)
}

/** A text file that an option names: a certificate, a secret. */
export async function readTextFile(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new CliError('caller', `${option} ${path} cannot be read (${why})`, {
      hint: 'Check the path and its mode.',
      cause,
    })
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    const part = Buffer.from(chunk)
    bytes += part.length
    if (bytes > maximumBytes)
      throw new CliError('caller', 'standard input is longer than 64 KiB', { hint: 'Send the secret alone.' })
    chunks.push(part)
  }
  return Buffer.concat(chunks).toString('utf8')
}
