import { describe, expect, it } from 'vitest'
import { EventQueue } from './event-queue.ts'
import type { QueryEvent } from './query-events.ts'

function recordedFlow(): { pause(): void; resume(): void; isPaused: boolean } {
  const flow = {
    isPaused: false,
    pause: () => void (flow.isPaused = true),
    resume: () => void (flow.isPaused = false),
  }
  return flow
}

async function drained(queue: EventQueue): Promise<QueryEvent[]> {
  const events: QueryEvent[] = []
  for await (const event of queue.drain()) events.push(event)
  return events
}

describe('a queue of events', () => {
  it('hands out rows in batches, and everything in order', async () => {
    const queue = new EventQueue(recordedFlow())
    queue.push({ type: 'columns', columns: [] })
    for (let index = 0; index < 450; index++) queue.pushRow([String(index)], 3)
    queue.push({ type: 'complete', command: 'SELECT', rowCount: 450 })
    queue.end(undefined)
    const events = await drained(queue)
    expect(events.map(({ type }) => type)).toEqual(['columns', 'rows', 'rows', 'rows', 'complete'])
    expect(events.flatMap((event) => (event.type === 'rows' ? event.rows : [])).map(([cell]) => Number(cell))).toEqual(
      Array.from({ length: 450 }, (_, index) => index),
    )
  })

  it('holds back what feeds it while a megabyte waits, and lets it on again', async () => {
    const flow = recordedFlow()
    const queue = new EventQueue(flow)
    for (let index = 0; index < 15; index++) queue.pushRow(['x'], 65_536)
    expect(flow.isPaused).toBe(false)
    queue.pushRow(['x'], 65_536)
    expect(flow.isPaused).toBe(true)
    queue.end(undefined)
    await drained(queue)
    expect(flow.isPaused).toBe(false)
  })

  it('throws the error that it ended with, after what came before', async () => {
    const queue = new EventQueue(recordedFlow())
    queue.pushRow(['x'], 1)
    queue.end(new Error('broken'))
    queue.end(undefined)
    const events = queue.drain()
    expect((await events.next()).value).toMatchObject({ type: 'rows' })
    await expect(events.next()).rejects.toThrow('broken')
  })

  it('keeps nothing of what is to be discarded', async () => {
    const flow = recordedFlow()
    const queue = new EventQueue(flow)
    for (let index = 0; index < 20; index++) queue.pushRow(['x'], 65_536)
    queue.discard()
    expect(flow.isPaused).toBe(false)
    for (let index = 0; index < 100; index++) queue.pushRow(['x'], 65_536)
    expect(flow.isPaused).toBe(false)
    queue.end(undefined)
    expect(await drained(queue)).toEqual([])
  })
})
