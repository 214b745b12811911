import type { HttpApp } from '../../src/http/route.ts'

/** What a browser shows after it followed redirects. */
export interface WebPage {
  readonly url: URL
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>
  readonly body: string
  /** Text of the page's first heading. */
  readonly heading: string
}

interface Cookie {
  readonly value: string
  readonly path: string
}

/**
 * As much of a browser as signing in takes, over an application that is not listening: cookies with their paths, redirects
 * within the site, forms with their hidden fields. An address of another site ends the journey: it is the answer.
 */
export class WebBrowser {
  readonly #app: HttpApp
  readonly #origin: string
  readonly #remoteAddress: string
  readonly cookies = new Map<string, Cookie>()

  constructor(app: HttpApp, origin = 'http://127.0.0.1', remoteAddress = '127.0.0.1') {
    this.#app = app
    this.#origin = origin
    this.#remoteAddress = remoteAddress
  }

  async open(address: string | URL): Promise<WebPage> {
    return this.#follow('GET', new URL(address, this.#origin))
  }

  /** Sends the form of a page with these fields; hidden ones come from the page, unless they are given. */
  async submit(page: WebPage, fields: Readonly<Record<string, string>>): Promise<WebPage> {
    const action = /<form[^>]* action="([^"]*)"/.exec(page.body)?.[1]
    const hidden = Object.fromEntries(
      [...page.body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(([, name, value]) => [
        name ?? '',
        value ?? '',
      ]),
    )
    const form = new URLSearchParams({ ...hidden, ...fields })
    return this.#follow('POST', action === undefined ? page.url : new URL(action, page.url), form.toString())
  }

  async #follow(method: 'GET' | 'POST', url: URL, form?: string): Promise<WebPage> {
    const page = await this.#request(method, url, form)
    const { location } = page.headers
    if (typeof location !== 'string') return page
    const next = new URL(location, url)
    return next.origin === this.#origin ? this.#follow('GET', next) : { ...page, url: next }
  }

  async #request(method: 'GET' | 'POST', url: URL, form?: string): Promise<WebPage> {
    const answer = await this.#app.inject({
      method,
      url: url.pathname + url.search,
      remoteAddress: this.#remoteAddress,
      headers: {
        host: url.host,
        accept: 'text/html',
        cookie: this.cookiesFor(url.pathname),
        ...(form !== undefined && { 'content-type': 'application/x-www-form-urlencoded', origin: this.#origin }),
      },
      ...(form !== undefined && { payload: form }),
    })
    for (const line of [answer.headers['set-cookie'] ?? []].flat()) this.#keep(line, url.pathname)
    const heading = /<h1>(.*?)<\/h1>/s.exec(answer.body)?.[1] ?? ''
    return { url, status: answer.statusCode, headers: answer.headers, body: answer.body, heading }
  }

  #keep(line: string, requestPath: string): void {
    const [pair = '', ...attributes] = line.split('; ')
    const name = pair.slice(0, pair.indexOf('='))
    const value = pair.slice(pair.indexOf('=') + 1)
    const attribute = (wanted: string) => attributes.find((text) => text.toLowerCase().startsWith(`${wanted}=`))
    const path = attribute('path')?.slice(5) ?? requestPath
    const expires = attribute('expires')?.slice(8)
    const key = `${name} ${path}`
    if (value === '' || (expires !== undefined && new Date(expires) < new Date())) this.cookies.delete(key)
    else this.cookies.set(key, { value, path })
  }

  /** The Cookie header for a path of the site. */
  cookiesFor(path: string): string {
    return [...this.cookies]
      .filter(([, cookie]) => cookie.path === '/' || path === cookie.path || path.startsWith(`${cookie.path}/`))
      .map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
      .join('; ')
  }
}
