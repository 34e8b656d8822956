#!/usr/bin/env bash
# A site's certificate in the system's store, or in one variable, reaches some clients of a Python image and not others;
# huggingface_hub 1.0 and the hf_xet inside it, which fetch one file together, disagree.
#
# Seen: 2026-11-28, requests 2.34.2, httpx 0.28.1, huggingface_hub 1.0.0 and 2.4.0, hf_xet 1.8.0, Python 3.11.
# update-ca-certificates puts the CA where hf_xet and huggingface_hub 2 look, and neither requests nor httpx does, so
# that huggingface_hub 1.0 does not get as far as hf_xet. REQUESTS_CA_BUNDLE, which pages advise, is read by requests
# alone. SSL_CERT_FILE is read by all but requests, and replaces the public roots. Set both variables, to one file that
# holds the public roots and the site's.
# Needs: root or user namespaces (unshare), to lay a copy over /etc/ssl/certs.
#   output: none: ; system store: hub-2.4.0 xet; SSL_CERT_FILE: httpx hub-1.0.0 hub-2.4.0 xet; REQUESTS_CA_BUNDLE: requests
set -euo pipefail
tmp=$(mktemp -d) && trap 'kill "$server" 2>/dev/null || true; rm -rf "$tmp"' EXIT
for version in 1.0.0 2.4.0; do
    python3 -m venv "$tmp/$version"
    "$tmp/$version/bin/pip" install -q --disable-pip-version-check "huggingface_hub==$version" hf_xet==1.8.0 \
        requests==2.34.2 httpx==0.28.1 trustme==1.2.1
done
cat >"$tmp/server.py" <<'PY'
import http.server, ssl, sys, trustme

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open("asked", "w").close()
        self.send_error(404)
    do_HEAD = do_GET
authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
authority.issue_cert("localhost").configure_cert(context)
server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
authority.cert_pem.write_to_path("ca.pem")
open("url", "w").write(f"https://localhost:{server.server_address[1]}")
server.serve_forever()
PY
(cd "$tmp" && exec 1.0.0/bin/python server.py 2>/dev/null) & server=$!
until [ -s "$tmp/url" ]; do sleep 0.2; done
cp -r /etc/ssl/certs "$tmp/store" && cat "$tmp/ca.pem" >>"$tmp/store/ca-certificates.crt"
url=$(<"$tmp/url")
hub='from huggingface_hub import hf_hub_download; hf_hub_download("a/b", "c")'
xet="import hf_xet, sys; one = hf_xet.PyXetDownloadInfo('$tmp/x', '0' * 64, 1)
hf_xet.download_files([one], '$url', ('token', 4000000000), None, None)"

reach() { # VERSION CODE: whether the server was asked, with the store and the variable of the state
    rm -f "$tmp/asked"
    unshare --user --map-root-user --mount sh -c "$mount exec timeout 10 \"\$@\"" sh env -i PATH="$PATH" HOME="$tmp/home" \
        HF_ENDPOINT="$url" $variable "$tmp/$1/bin/python" -c "$2" >/dev/null 2>&1 || true
    [ ! -e "$tmp/asked" ] || printf '%s ' "$3"
}
all() {
    reach 2.4.0 "import requests; requests.get('$url')" requests
    reach 2.4.0 "import httpx; httpx.get('$url')" httpx
    reach 1.0.0 "$hub" hub-1.0.0
    reach 2.4.0 "$hub" hub-2.4.0
    reach 2.4.0 "$xet" xet
}
mount="" variable="" && none=$(all)
mount="mount --bind $tmp/store /etc/ssl/certs;" && store=$(all) && mount=""
variable="SSL_CERT_FILE=$tmp/ca.pem" && file=$(all)
variable="REQUESTS_CA_BUNDLE=$tmp/ca.pem" && bundle=$(all)
echo "none: $none; system store: $store; SSL_CERT_FILE: $file; REQUESTS_CA_BUNDLE: $bundle"
[ "$none/$store/$file/$bundle" = "/hub-2.4.0 xet /httpx hub-1.0.0 hub-2.4.0 xet /requests " ] || { echo "changed"; exit 1; }
echo "as seen: five clients, four answers to where a certificate is to be put"
