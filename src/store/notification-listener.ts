import type pg from 'pg'

interface Subscription {
  onPayload(payload: string): void
  onResync: (() => void) | undefined
}

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000
const HEARTBEAT_MS = 10_000

/**
 * LISTEN on one session of its own, which is opened at the first `listen` and reopened for ever.
 *
 * States: idle (no session wanted) → connecting → listening → (lost) waiting → connecting …; closed from anywhere.
 * A heartbeat finds a session whose peer vanished without a word.
 */
export class NotificationListener {
  readonly #newClient: () => pg.Client
  readonly #channels = new Map<string, Set<Subscription>>()
  #client: pg.Client | undefined
  #connecting: Promise<pg.Client> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #heartbeat: ReturnType<typeof setInterval> | undefined
  #retryMs = FIRST_RETRY_MS
  #closed = false

  constructor(newClient: () => pg.Client) {
    this.#newClient = newClient
  }

  async listen(
    channel: string,
    onPayload: (payload: string) => void,
    onResync?: () => void,
  ): Promise<() => Promise<void>> {
    if (!/^[a-z][a-z_]*$/.test(channel)) throw new Error(`not a channel name: ${channel}`)
    const subscription: Subscription = { onPayload, onResync }
    const subscriptions = this.#channels.get(channel) ?? new Set()
    subscriptions.add(subscription)
    this.#channels.set(channel, subscriptions)
    try {
      const client = await this.#session()
      await client.query(`listen ${channel}`)
    } catch (error) {
      subscriptions.delete(subscription)
      throw error
    }
    return async () => {
      subscriptions.delete(subscription)
      if (subscriptions.size > 0 || this.#channels.get(channel) !== subscriptions) return
      this.#channels.delete(channel)
      // Nobody hears the channel from here on. Not awaited: a server that hangs would hold up an end; a lost session listens to
      // nothing any more.
      this.#client?.query(`unlisten ${channel}`).catch(() => undefined)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    clearInterval(this.#heartbeat)
    this.#channels.clear()
    const client = this.#client ?? (await this.#connecting?.catch(() => undefined))
    this.#client = undefined
    await client?.end().catch(() => undefined)
  }

  #session(): Promise<pg.Client> {
    if (this.#client) return Promise.resolve(this.#client)
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #connect(): Promise<pg.Client> {
    const client = this.#newClient()
    let lost = false
    const onLost = (): void => {
      if (lost) return
      lost = true
      this.#lose(client)
    }
    client.on('error', onLost)
    client.on('end', onLost)
    client.on('notification', ({ channel, payload }) => {
      for (const subscription of this.#channels.get(channel) ?? []) subscription.onPayload(payload ?? '')
    })
    await client.connect()
    for (const channel of this.#channels.keys()) await client.query(`listen ${channel}`)
    if (lost || this.#closed) {
      await client.end().catch(() => undefined)
      throw new Error('the listening session ended')
    }
    this.#client = client
    this.#retryMs = FIRST_RETRY_MS
    this.#heartbeat = setInterval(() => void this.#beat(client, onLost), HEARTBEAT_MS)
    return client
  }

  async #beat(client: pg.Client, onLost: () => void): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no heartbeat')), HEARTBEAT_MS / 2)
    })
    try {
      await Promise.race([client.query('select 1'), silence])
    } catch {
      onLost()
      client.end().catch(() => undefined)
    } finally {
      clearTimeout(timer)
    }
  }

  #lose(client: pg.Client): void {
    if (this.#client !== client) return
    this.#client = undefined
    clearInterval(this.#heartbeat)
    if (!this.#closed) this.#reconnectLater()
  }

  #reconnectLater(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.#reconnect(), this.#retryMs * (0.5 + Math.random() / 2))
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
  }

  async #reconnect(): Promise<void> {
    if (this.#closed) return
    try {
      await this.#session()
    } catch {
      if (!this.#closed) this.#reconnectLater()
      return
    }
    for (const subscriptions of this.#channels.values()) for (const { onResync } of subscriptions) onResync?.()
  }
}
