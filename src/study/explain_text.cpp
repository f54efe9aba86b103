// Implements the text of one party: chapters, each a list of sentences.
#include "study/explain_text.h"

#include <algorithm>
#include <string_view>

#include "study/explain.h"
#include "study/levels.h"

namespace pgmpc {
namespace {

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i)
    text += (i == 0 ? "" : i + 1 < items.size() ? ", " : " and ") + items[i];
  return text;
}

std::string in_step(const ExplainRow& row) { return "In step " + std::to_string(row.step) + " (" + row.name + ") "; }

class PartyWriter {
 public:
  PartyWriter(const Spec& spec, const std::vector<ExplainRow>& rows, int party)
      : spec_(spec), rows_(rows), party_(party), name_(spec.party_name(party)) {}

  std::string text() {
    roles();
    computed();
    sent();
    received();
    learned();
    chapter("What is released, and what else becomes known to the parties");
    statements("public: ");
    destroyed();
    status();
    chapter("Disclosure rules: when the study is refused, and what limits it");
    statements("rule: ");
    chapter("What has to be trusted");
    statements("trust");
    chapter("How much masked values can tell");
    statements("statistical distance");
    return std::move(text_);
  }

 private:
  void chapter(const std::string& title) { text_ += "\n" + title + "\n"; }

  void sentence(const std::string& words) { text_ += "- " + words + ".\n"; }

  // Writes the rows of step 0 whose subject begins with the prefix.
  void statements(std::string_view prefix) {
    for (const ExplainRow& row : rows_)
      if (row.step == 0 && row.name.starts_with(prefix)) {
        const bool rule = row.name.starts_with("rule: ");
        sentence((rule ? row.name.substr(6) + ": " : row.analysis.empty() ? "" : row.analysis + ": ") + row.learns);
      }
  }

  std::string role_of(int party) const {
    const std::string& name = spec_.party_name(party);
    if (party == 2) return name + " is the third party. It brings no data";
    const ControllerSpec& controller = spec_.controllers[static_cast<std::size_t>(party)];
    std::string brings;
    std::vector<std::string> attributes;
    for (const DeclaredAttribute& attribute : controller.declared) {
      std::vector<std::string> levels;
      for (const std::string& level : attribute.levels) levels.push_back(quoted_level(level));
      attributes.push_back(attribute.name + (levels.empty() ? "" : " (levels " + listed(levels) + ")"));
    }
    if (!attributes.empty())
      brings = (attributes.size() == 1 ? "the attribute " : "the attributes ") + listed(attributes);
    const std::vector<std::string>& outcomes = controller.outcomes;
    if (!outcomes.empty())
      brings += std::string(brings.empty() ? "" : ", and ") +
                (outcomes.size() == 1 ? "the outcome " : "the outcomes ") + listed(outcomes);
    return name + " is a controller. It brings " + brings;
  }

  void roles() {
    text_ = "What " + name_ + " agrees to\n";
    sentence(role_of(party_));
    for (int other = 0; other < spec_.party_count(); ++other)
      if (other != party_) sentence(role_of(other));
  }

  void computed() {
    chapter("What is computed over the records that both controllers have");
    std::vector<std::string> subjects;  // of the kinds of analysis that there are
    for (const AnalysisEntry& entry : spec_.analyses) {
      const std::string subject = entry.analysis->words().method.subject;
      if (std::find(subjects.begin(), subjects.end(), subject) == subjects.end()) subjects.push_back(subject);
    }
    for (const std::string& subject : subjects) statements(subject);
  }

  bool is_receiver(const ExplainRow& row) const {
    return row.step > 0 && row.party != name_ && row.sends != kNothing && (row.peer.empty() || row.peer == name_);
  }

  static std::string receiver_of(const ExplainRow& row) { return row.peer.empty() ? "both other parties" : row.peer; }

  void sent() {
    chapter("What " + name_ + " sends");
    for (const ExplainRow& row : rows_)
      if (row.step > 0 && row.party == name_ && row.sends != kNothing)
        sentence(in_step(row) + "it sends to " + receiver_of(row) + ": " + row.sends);
  }

  void received() {
    chapter("What " + name_ + " receives");
    for (const ExplainRow& row : rows_)
      if (is_receiver(row)) sentence(in_step(row) + row.party + " sends it: " + row.sends);
  }

  // Writes a sentence unless an earlier row gave the same one. Rows repeat a fact per receiver.
  void sentence_once(std::vector<std::string>& said, const std::string& words) {
    if (std::find(said.begin(), said.end(), words) != said.end()) return;
    said.push_back(words);
    sentence(words);
  }

  void learned_by(int party) {
    std::vector<std::string> said;
    for (const ExplainRow& row : rows_)
      for (const Learning& each : row.learned) {
        if (std::find(each.parties.begin(), each.parties.end(), party) == each.parties.end()) continue;
        sentence_once(said, in_step(row) + spec_.party_name(party) + " learns: " + each.what);
      }
  }

  void learned() {
    chapter("What " + name_ + " learns");
    learned_by(party_);
    chapter("What the others learn");
    for (int other = 0; other < spec_.party_count(); ++other)
      if (other != party_) learned_by(other);
  }

  void destroyed_at(int party) {
    std::vector<std::string> said;
    for (const ExplainRow& row : rows_)
      if (row.party == spec_.party_name(party) && !row.destroyed.empty())
        sentence_once(said, "At the end of step " + std::to_string(row.step) + " (" + row.name + ") " + row.party +
                                " destroys: " + listed(row.destroyed));
  }

  void destroyed() {
    chapter("What " + name_ + " destroys, and when");
    destroyed_at(party_);
    chapter("What the others destroy, and when");
    for (int other = 0; other < spec_.party_count(); ++other)
      if (other != party_) destroyed_at(other);
  }

  // Writes one sentence per data status, in the order of the steps.
  void status() {
    chapter("Status of the data at " + name_);
    std::string current;
    int first = 0, last = 0;
    const auto say = [&] {
      if (first == 0) return;
      sentence((first == last ? "In step " + std::to_string(first)
                              : "From step " + std::to_string(first) + " to step " + std::to_string(last)) +
               ": " + current);
    };
    for (const ExplainRow& row : rows_) {
      if (row.step == 0 || row.party != name_) continue;
      if (row.data_status != current) {
        say();
        current = row.data_status;
        first = row.step;
      }
      last = row.step;
    }
    say();
  }

  const Spec& spec_;
  const std::vector<ExplainRow>& rows_;
  int party_;
  std::string name_;
  std::string text_;
};

}  // namespace

std::vector<PartyText> explain_text(const Spec& spec) {
  const std::vector<ExplainRow> rows = explain(spec, -1);
  std::vector<PartyText> texts;
  for (int party = 0; party < spec.party_count(); ++party)
    texts.push_back({spec.party_name(party), PartyWriter(spec, rows, party).text()});
  return texts;
}

}  // namespace pgmpc
