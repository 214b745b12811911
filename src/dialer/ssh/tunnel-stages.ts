import type { SshStage, TunnelRequest } from '../ssh-tunnels.ts'

type Tell = NonNullable<TunnelRequest['onStage']>
type StageDetail = Parameters<Tell>[1]

/** A stage that opening a tunnel has passed. */
interface PassedStage {
  readonly stage: 'name' | 'tcp' | SshStage
  readonly detail: StageDetail
}

/** What opening a tunnel passed so far, for everybody who waits for it or comes later. */
export class TunnelStages {
  readonly #passed: PassedStage[] = []
  readonly #listeners = new Set<Tell>()
  #startedAt = performance.now()

  /** Adds the milliseconds since the stage before. */
  pass(stage: PassedStage['stage'], detail: StageDetail = {}): void {
    const now = performance.now()
    const elapsedMs = Math.round((now - this.#startedAt) * 10) / 10
    this.#startedAt = now
    const passed = { stage, detail: { ...detail, elapsedMs } }
    this.#passed.push(passed)
    for (const tell of this.#listeners) tell(stage, passed.detail)
  }

  /** Tells what was passed, and what will be until the return value is called. */
  follow(tell: Tell | undefined, more: StageDetail = {}): () => void {
    if (tell === undefined) return () => undefined
    for (const { stage, detail } of this.#passed) tell(stage, { ...detail, ...more })
    this.#listeners.add(tell)
    return () => this.#listeners.delete(tell)
  }
}
