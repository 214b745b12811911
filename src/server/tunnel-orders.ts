import { randomUUID } from 'node:crypto'
import { PosternError } from '../base/errors.ts'
import type { TunnelOrder, TunnelTicket } from '../dialer/ssh/tunnel-messages.ts'
import type { MessageToChild } from './child-messages.ts'

interface Waiting {
  readonly answer: (ticket: TunnelTicket | undefined) => void
  readonly timer: ReturnType<typeof setTimeout>
}

/**
 * Orders ways through SSH over this child's pipe to the supervisor: their secrets are seen by nobody else.
 * @returns how to place an order; it rejects with UPSTREAM_SSH_CLOSED when there are no tunnels to be had
 */
export function tunnelOrders(): (order: TunnelOrder) => Promise<TunnelTicket> {
  const waiting = new Map<string, Waiting>()
  const settle = (id: string, ticket: TunnelTicket | undefined): void => {
    const found = waiting.get(id)
    waiting.delete(id)
    clearTimeout(found?.timer)
    found?.answer(ticket)
  }
  process.on('message', (message: MessageToChild) => {
    if (message.type === 'tunnel-answer') settle(message.id, message.ticket)
  })
  process.on('disconnect', () => {
    for (const id of waiting.keys()) settle(id, undefined)
  })
  return async (order) => {
    const ticket = await new Promise<TunnelTicket | undefined>((resolve) => {
      if (!process.connected) return resolve(undefined)
      const id = randomUUID()
      waiting.set(id, { answer: resolve, timer: setTimeout(() => settle(id, undefined), order.timeoutMs) })
      process.send?.({ type: 'tunnel-order', id, order })
    })
    if (ticket !== undefined) return ticket
    throw new PosternError('UPSTREAM_SSH_CLOSED', 'the process that has the SSH tunnels is not there', {
      hint: 'It is started again by itself. Try again in a few seconds.',
    })
  }
}
