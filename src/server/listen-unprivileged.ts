import { PosternError } from '../base/errors.ts'
import type { ChildBootstrap } from './child-messages.ts'
import { dropRoot } from './drop-root.ts'

const LAST_PRIVILEGED_PORT = 1023

/**
 * Gives up root and listens, in the order that the port asks for: root is given up first, unless only root may listen there.
 * @throws PosternError PORT_IN_USE
 */
export async function listenUnprivileged<T>(
  bootstrap: ChildBootstrap,
  address: { readonly host: string; readonly port: number },
  listen: () => T | Promise<T>,
): Promise<T> {
  const needsRoot = address.port !== 0 && address.port <= LAST_PRIVILEGED_PORT
  if (!needsRoot) dropRoot(bootstrap.user)
  let listening: T
  try {
    listening = await listen()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new PosternError('PORT_IN_USE', `Another process listens on ${address.host}:${address.port}.`, { cause })
  }
  if (needsRoot) dropRoot(bootstrap.user)
  return listening
}
