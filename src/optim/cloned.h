// A smart pointer that clones its object when it is copied, so that two owners never share one object.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace galore {

// T is a value, or has a const member function clone() that returns a pointer to a copy. T may be incomplete
// wherever a Cloned<T> is copied or destroyed; it must be complete where one is made of an object.
template <class T>
class Cloned {
 public:
  Cloned() = default;
  Cloned(std::nullptr_t) {}
  template <class U>
  Cloned(std::unique_ptr<U> object)
      : object_(std::move(object)),
        clone_([](const T& original) -> std::shared_ptr<T> { return original.clone(); }) {}
  // T is a value: the object is copied. No other constructor matches, because U is T.
  template <class U>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload)
  requires std::same_as<std::remove_cvref_t<U>, T> Cloned(U&& object)
      : object_(std::make_shared<T>(std::forward<U>(object))),
        clone_([](const T& original) { return std::make_shared<T>(original); }) {}
  Cloned(const Cloned& other)
      : object_(other.object_ ? other.clone_(*other.object_) : nullptr), clone_(other.clone_) {}
  Cloned(Cloned&& other) noexcept = default;
  Cloned& operator=(Cloned other) noexcept {
    object_.swap(other.object_);
    std::swap(clone_, other.clone_);
    return *this;
  }
  ~Cloned() = default;

  operator const T&() const& { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  T& operator*() { return *object_; }
  const T& operator*() const { return *object_; }
  T* operator->() { return object_.get(); }
  const T* operator->() const { return object_.get(); }

 private:
  std::shared_ptr<T> object_;  // never shared; shared_ptr remembers how to destroy an incomplete T
  std::shared_ptr<T> (*clone_)(const T& original) = nullptr;
};

}  // namespace galore
