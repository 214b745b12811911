import { describe, expect, test } from 'vitest'
import { readPages } from './read-pages.ts'

/** A list of `count` numbers, read like the API answers it. */
function listOf(count: number) {
  const sizes: number[] = []
  const readPage = async ({ pageSize, pageToken }: { pageSize: number; pageToken: string | undefined }) => {
    sizes.push(pageSize)
    const start = Number(pageToken ?? 0)
    const items = Array.from({ length: Math.min(pageSize, count - start) }, (_, index) => start + index)
    const end = start + items.length
    return { items, nextPageToken: end < count ? String(end) : undefined }
  }
  return { readPage, sizes }
}

describe('a long list', () => {
  test('is read to its end without a limit', async () => {
    const { readPage, sizes } = listOf(450)
    expect(await readPages(undefined, readPage)).toHaveLength(450)
    expect(sizes).toEqual([200, 200, 200])
  })

  test('is read no further than the limit', async () => {
    const { readPage, sizes } = listOf(450)
    expect(await readPages(250, readPage)).toHaveLength(250)
    expect(sizes).toEqual([200, 50])
  })

  test('goes on after an empty page that is not the last', async () => {
    const pages = [{ items: [], nextPageToken: 'x' }, { items: [1] }]
    expect(await readPages(undefined, async () => pages.shift() ?? { items: [] })).toEqual([1])
  })
})
