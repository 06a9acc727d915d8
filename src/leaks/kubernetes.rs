//! Files that say how to reach a cluster of Kubernetes, and as whom. They have any name.

use super::holds::Holds;
use memchr::memmem;

/// What such a file is.
pub const WHAT: &str = "credentials of Kubernetes";
/// What such a file holds if it has a credential, and not the way to one.
pub const CREDENTIALS: Holds = Holds::Keys(&["client-key-data", "token", "password"]);
/// What `kubectl config view` prints in place of one.
const HIDDEN: [&[u8]; 2] = [b"REDACTED", b"DATA+OMITTED"];

/// Whether the text is such a file, with a credential. Other programs have a `kind: Config`, too, of another version.
pub fn is_config_with_key(text: &[u8]) -> bool {
    let has = |line: &[u8]| text.split(|byte| *byte == b'\n').any(|other| bare(other) == line);
    let may_be = memmem::find(text, b"apiVersion").is_some() && memmem::find(text, b"Config").is_some();
    let is_config = may_be && has(b"kind:Config") && has(b"apiVersion:v1");
    let is_hidden = || HIDDEN.iter().any(|hidden| memmem::find(text, hidden).is_some());
    is_config && CREDENTIALS.is_in(text) && !is_hidden()
}

/// A line of YAML, or of JSON, without spaces and quotes.
fn bare(line: &[u8]) -> Vec<u8> {
    line.iter().copied().filter(|byte| !b" \t\r\"',".contains(byte)).collect()
}

#[cfg(test)]
mod tests {
    use crate::leaks::Kind;
    use crate::leaks::tests::kind;

    #[test]
    fn the_file_of_a_cluster_is_found_under_any_name_if_it_has_a_credential() {
        let yaml = |user: &str| format!("apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    {user}\n");
        for text in [
            yaml("token: x1y2z3"),
            yaml("client-key-data: x1y2z3"),
            "{\n  \"kind\": \"Config\",\n  \"apiVersion\": \"v1\",\n  \"users\": [{\"token\": \"x1y2z3\"}]\n}"
                .to_owned(),
        ] {
            assert_eq!(kind("/srv/cluster.yaml", &text), Some(Kind::Credentials), "{text}");
        }
        for text in [
            yaml("exec:\n      command: aws"),
            yaml("client-key: /var/lib/kubelet/pki/x.pem"),
            yaml("token: {{ .Values.x }}"),
            yaml("token: REDACTED"),
            yaml("client-key-data: DATA+OMITTED"),
            yaml("tokenFile: /run/x"),
            yaml("token: x1y2z3").replace("v1", "skaffold/v4beta1"),
            yaml("token: x1y2z3").replace("Config", "ConfigMap"),
        ] {
            assert_eq!(kind("/srv/cluster.yaml", &text), None, "{text}");
        }
        for (path, text, found) in [
            ("/etc/kubernetes/super-admin.conf", "client-key-data: x\n", Some(Kind::Credentials)),
            ("/etc/kubernetes/bootstrap-kubelet.conf", "token: x\n", Some(Kind::Credentials)),
            ("/etc/kubernetes/kubelet.conf", "client-key: /x.pem\n", None),
        ] {
            assert_eq!(kind(path, text), found, "{path}");
        }
    }
}
