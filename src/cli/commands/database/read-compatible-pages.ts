import { type Page, readPages } from '../../read-pages.ts'

/** {@link readPages} in the words of the compatible API. */
export function readCompatiblePages<Item>(
  limit: number | undefined,
  readPage: (query: { page_size: number; page_token: string | undefined }) => Promise<Page<Item>>,
): Promise<Item[]> {
  return readPages(limit, ({ pageSize, pageToken }) => readPage({ page_size: pageSize, page_token: pageToken }))
}
