// A table that says in which row's memory each position of each row is. To copy a row copies a line
// of this table. The keys and values of a prompt stay where they were written, however many rows
// continue it.

#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace decode {

class Rows {
 public:
  Rows(int64_t rows, int64_t positions)
      : lengths(rows, 0), rows_(rows), positions_(positions), owner_(rows * positions, 0),
        lost_(rows, 0) {}

  std::vector<int64_t> lengths;  // tokens that each row holds

  int64_t rows() const { return rows_; }
  int64_t positions() const { return positions_; }
  // (positions,): the row in whose memory each position of this row is.
  const int32_t* owners(int64_t row) const { return &owner_[row * positions_]; }

  void check(int64_t row) const {
    if (row < 0 || row >= rows_) {
      throw std::invalid_argument("row " + std::to_string(row) + " is not one of the " +
                                  std::to_string(rows_) + " rows of the key-value cache");
    }
  }

  // A row must not be read any more when another row has overwritten what the two shared.
  void check_kept(int64_t row) const {
    check(row);
    if (lost_[row] != 0) {
      throw std::invalid_argument(
          "row " + std::to_string(row) + " shared keys and values with a row that went on "
          "without it, and they are gone; fill it with a new prompt");
    }
  }

  void check_room(int64_t row, int64_t total) const {
    if (total > positions_) {
      throw std::invalid_argument(std::to_string(total) + " tokens exceed the " +
                                  std::to_string(positions_) +
                                  " positions of the key-value cache (row " +
                                  std::to_string(row) + ")");
    }
  }

  // The row is emptied and holds `length` positions of its own.
  void fill(int64_t row, int64_t length) {
    lengths[row] = 0;
    lost_[row] = 0;
    for (int64_t position = 0; position < length; ++position) append(row);
  }

  // Adds a position to the row, in its own memory.
  void append(int64_t row) {
    const int64_t position = lengths[row];
    for (int64_t other = 0; other < rows_; ++other) {
      if (other != row && lengths[other] > position && owners(other)[position] == row) {
        lost_[other] = 1;
      }
    }
    owner_[row * positions_ + position] = static_cast<int32_t>(row);
    lengths[row] = position + 1;
  }

  void copy(int64_t source, int64_t target) {
    std::copy_n(owners(source), lengths[source], &owner_[target * positions_]);
    lengths[target] = lengths[source];
    lost_[target] = 0;
  }

 private:
  int64_t rows_;
  int64_t positions_;
  std::vector<int32_t> owner_;  // (rows, positions)
  std::vector<char> lost_;
};

}  // namespace decode
