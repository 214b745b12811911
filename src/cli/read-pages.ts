/** Most items asked for at once; the server takes up to 1000. */
const largestPage = 200

/** One page of a list as the API answers it. */
export interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextPageToken?: string | undefined
}

/**
 * Reads a list page by page until it ends or `limit` items are there.
 * @param limit at most this many; undefined reads all
 */
export async function readPages<Item>(
  limit: number | undefined,
  readPage: (query: { pageSize: number; pageToken: string | undefined }) => Promise<Page<Item>>,
): Promise<Item[]> {
  const items: Item[] = []
  let pageToken: string | undefined
  do {
    const pageSize = Math.min(largestPage, (limit ?? Infinity) - items.length)
    const page = await readPage({ pageSize, pageToken })
    items.push(...page.items)
    pageToken = page.nextPageToken
  } while (pageToken !== undefined && items.length < (limit ?? Infinity))
  return items.slice(0, limit)
}
