import { PosternError } from '../base/errors.ts'
import type { Resealed } from '../keys/reseal-store.ts'
import type { MasterKeyRotatedMessage, MessageToChild } from './child-messages.ts'

/** @returns how the control plane asks the supervisor, who holds the key's file, to exchange the master key */
export function masterKeyRotation(): () => Promise<Resealed> {
  const waiting = new Map<number, (outcome: MasterKeyRotatedMessage['outcome']) => void>()
  let lastId = 0
  process.on('message', (message: MessageToChild) => {
    if (message.type !== 'master-key-rotated') return
    waiting.get(message.id)?.(message.outcome)
    waiting.delete(message.id)
  })
  return async () => {
    const outcome = await new Promise<MasterKeyRotatedMessage['outcome']>((resolve) => {
      const id = ++lastId
      waiting.set(id, resolve)
      process.send?.({ type: 'rotate-master-key', id })
    })
    if ('resealed' in outcome) return outcome
    throw new PosternError(outcome.code, outcome.message, { hint: outcome.hint })
  }
}
