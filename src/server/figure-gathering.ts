import { setTimeout as sleep } from 'node:timers/promises'
import type { Figures } from '../telemetry/metrics.ts'
import type { FiguresMessage, MessageToChild } from './child-messages.ts'

/** A process that is busy or hangs is left out of an answer. */
const ANSWER_LIMIT_MS = 1_000

interface Round {
  missing: number
  readonly figures: Figures[]
  readonly complete: () => void
}

/** Asks processes for what they have measured, for the supervisor. */
export class FigureGathering {
  readonly #rounds = new Map<number, Round>()
  #lastId = 0

  async gather(children: readonly { send(message: MessageToChild): void }[]): Promise<readonly Figures[]> {
    if (children.length === 0) return []
    const id = ++this.#lastId
    const { promise, resolve } = Promise.withResolvers<void>()
    const round: Round = { missing: children.length, figures: [], complete: resolve }
    this.#rounds.set(id, round)
    for (const child of children) child.send({ type: 'figures-asked', id })
    const timer = new AbortController()
    await Promise.race([promise, sleep(ANSWER_LIMIT_MS, undefined, { signal: timer.signal }).catch(() => undefined)])
    timer.abort()
    this.#rounds.delete(id)
    return round.figures
  }

  /** One that comes too late is nobody's any more. */
  take({ id, figures }: FiguresMessage): void {
    const round = this.#rounds.get(id)
    if (round === undefined) return
    round.figures.push(figures)
    round.missing -= 1
    if (round.missing === 0) round.complete()
  }
}
